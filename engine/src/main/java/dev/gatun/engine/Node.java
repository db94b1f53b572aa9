package dev.gatun.engine;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** What made a tensor: an op, its inputs and its outputs. Left by every op on a tracked tensor. */
public final class Node {

    private static final AtomicLong MADE = new AtomicLong();

    private final Op op;
    private final Tensor[] inputs;
    private final Tensor[] outputs;
    private final long order = MADE.incrementAndGet();

    Node(Op op, Tensor[] inputs, Tensor[] outputs) {
        this.op = op;
        this.inputs = inputs;
        this.outputs = outputs;
    }

    /**
     * Detached copies of these outputs, recorded as made by an op from these inputs: for an op that
     * ran other ops by itself, such as a checkpoint. Dispatch does it for every other one.
     */
    public static List<Tensor> record(Op op, List<Tensor> inputs, List<Tensor> outputs) {
        Tensor[] made = new Tensor[outputs.size()];
        for (int i = 0; i < made.length; i++) {
            made[i] = outputs.get(i).copyOfHandle();
        }
        Node node = new Node(op, inputs.toArray(Tensor[]::new), made);
        for (Tensor output : made) {
            if (output.dtype().isFloat()) {
                output.madeBy(node);
            }
        }
        return List.of(made);
    }

    /** Number of the node made last, by any thread. */
    public static long latest() {
        return MADE.get();
    }

    /** The op that ran. */
    public Op op() {
        return op;
    }

    /** What it read, tracked where it was tracked. */
    public List<Tensor> inputs() {
        return List.of(inputs);
    }

    /** What it made. */
    public List<Tensor> outputs() {
        return List.of(outputs);
    }

    /** Nodes made later have larger numbers, so inputs have smaller ones than what was made of them. */
    public long order() {
        return order;
    }

    @Override
    public String toString() {
        return op + " -> " + outputs[0].spec();
    }
}
