package dev.gatun.autograd;

import dev.gatun.engine.Backward;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Node;
import dev.gatun.engine.Op;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Trades time for memory: keeps the inputs of a function instead of everything it made on the way,
 * and runs it again in the sweep. Chen et al. 2016, "Training deep nets with sublinear memory cost".
 *
 * {@snippet :
 * Function<Tensor, Tensor> cheap = Checkpoint.of(block::forward);
 * Tensor y = cheap.apply(x);
 * }
 *
 * The function must give the same numbers again: random ops take their key, which is enough.
 * Tracked tensors that it reads without being given them, such as parameters, get their gradients
 * too.
 */
public final class Checkpoint {

    private Checkpoint() {}

    /** A function of one tensor that keeps its input only. */
    public static Function<Tensor, Tensor> of(Function<Tensor, Tensor> f) {
        return x -> run(in -> List.of(f.apply(in.getFirst())), List.of(x)).getFirst();
    }

    /** Runs a function of several tensors and keeps its inputs only. */
    public static List<Tensor> run(Function<List<Tensor>, List<Tensor>> f, List<Tensor> inputs) {
        try (Scope inside = Scope.open("checkpoint")) {
            long before = Node.latest();
            List<Tensor> starts = inputs.stream().map(Checkpoint::start).toList();
            List<Tensor> outputs = f.apply(starts);
            List<Tensor> captured = captured(outputs, starts, before);
            outputs.forEach(inside::keep);
            List<Tensor> read = new ArrayList<>(inputs);
            read.addAll(captured);
            if (read.stream().noneMatch(Tensor::tracked)) {
                return outputs.stream().map(Tensor::detach).toList();
            }
            return Node.record(new Recompute(f, inputs.size(), captured), read, outputs);
        }
    }

    private static Tensor start(Tensor x) {
        return x.tracked() ? x.detach().track() : x;
    }

    /** Tracked tensors from outside that the outputs depend on: leaves, and what was made before. */
    private static List<Tensor> captured(List<Tensor> outputs, List<Tensor> starts, long before) {
        Set<Tensor> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        seen.addAll(starts);
        List<Tensor> captured = new ArrayList<>();
        ArrayDeque<Tensor> open = new ArrayDeque<>(outputs);
        while (!open.isEmpty()) {
            Tensor t = open.pop();
            if (!t.tracked() || !seen.add(t)) {
                continue;
            }
            if (t.node() == null || t.node().order() <= before) {
                captured.add(t);
            } else {
                open.addAll(t.node().inputs());
            }
        }
        return captured;
    }

    /** Stands in the graph for everything the function did. It has no kernel: it is recorded, never dispatched. */
    private static final class Recompute implements Op {
        private final Function<List<Tensor>, List<Tensor>> f;
        private final int given;
        private final List<Tensor> captured;

        Recompute(Function<List<Tensor>, List<Tensor>> f, int given, List<Tensor> captured) {
            this.f = f;
            this.given = given;
            this.captured = captured;
        }

        @Override
        public String name() {
            return "checkpoint";
        }

        @Override
        public List<Spec> infer(Spec... in) {
            throw new IllegalStateException("checkpoint: recorded by Checkpoint.run, not applied");
        }

        @Override
        public List<Kernel> kernels() {
            return List.of();
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            List<Tensor> starts = new ArrayList<>();
            List<Tensor> xs = new ArrayList<>();
            for (int i = 0; i < given; i++) {
                Tensor x = b.in(i);
                Tensor start = !b.needs(i) ? x.detach() : x.tracked() ? x.reshape(x.shape()) : x.track();
                starts.add(start);
                if (b.needs(i)) {
                    xs.add(start);
                }
            }
            xs.addAll(captured);
            List<Tensor> ys = new ArrayList<>();
            List<Tensor> gs = new ArrayList<>();
            List<Tensor> outputs = f.apply(starts);
            for (int i = 0; i < outputs.size(); i++) {
                if (b.flows(i)) {
                    ys.add(outputs.get(i));
                    gs.add(b.g(i));
                }
            }
            List<Tensor> found = b.differentiable() ? Autograd.differentiableGrad(ys, gs, xs) : Autograd.grad(ys, gs, xs);
            List<Tensor> gradients = new ArrayList<>();
            int next = 0;
            for (int i = 0; i < given; i++) {
                gradients.add(b.needs(i) ? found.get(next++) : b.none());
            }
            gradients.addAll(found.subList(next, found.size()));
            return gradients;
        }
    }
}
