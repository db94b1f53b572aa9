package dev.gatun.bench.suite;

import dev.gatun.bench.layers.Core;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * A function of tensors, by itself or with the gradients of its inputs.
 *
 * @param inputs what all peers are given
 * @param gatun what our side computes of them
 * @param script the same in libtorch's language; empty where libtorch has nothing like it
 * @param gradients whether gradients are asked for, too: the script is the function alone
 * @param inPlace whether the function overwrites its inputs
 * @param onednn whether an op in it has a kernel of oneDNN's
 * @param traffic bytes read and written at least; NaN for those of all inputs and results, once
 */
public record OpCase(String group, String name, List<Core.Input> inputs, Function<List<Tensor>, Tensor> gatun, String script,
        boolean gradients, boolean inPlace, boolean onednn, double flops, double traffic, double tolerance) implements Case {

    /** What rounding may do to ops whose sums are short or whose errors cancel. */
    private static final double TOLERANCE = 1e-4;

    /** A function alone; libtorch's script is given as its body, {@code return x + y}. */
    static OpCase of(String group, String name, Function<List<Tensor>, Tensor> gatun, String body, Core.Input... inputs) {
        String script = body.isEmpty() ? "" : "def forward(" + String.join(", ", List.of(inputs).stream().map(x -> x.name() + ": Tensor").toList())
                + ") -> Tensor:\n" + body.indent(2);
        return new OpCase(group, name, List.of(inputs), gatun, script, false, false, false, 0, Double.NaN, TOLERANCE);
    }

    /** With the arithmetic of one run. */
    OpCase flops(double flops) {
        return new OpCase(group, name, inputs, gatun, script, gradients, inPlace, onednn, flops, traffic, tolerance);
    }

    /** With another count of bytes than that of all inputs and results. */
    OpCase traffic(double traffic) {
        return new OpCase(group, name, inputs, gatun, script, gradients, inPlace, onednn, flops, traffic, tolerance);
    }

    /** With another tolerance. */
    OpCase tolerance(double tolerance) {
        return new OpCase(group, name, inputs, gatun, script, gradients, inPlace, onednn, flops, traffic, tolerance);
    }

    /** With a kernel of oneDNN's. */
    OpCase oneDnn() {
        return new OpCase(group, name, inputs, gatun, script, gradients, inPlace, true, flops, traffic, tolerance);
    }

    /** Overwriting its inputs. */
    OpCase overwriting() {
        return new OpCase(group, name, inputs, gatun, script, gradients, true, onednn, flops, traffic, tolerance);
    }

    /** With gradients: a backward pass counts twice the arithmetic of the forward one, its usual share. */
    OpCase withGradients() {
        return new OpCase(group, name + ", gradients", inputs, gatun, script, true, inPlace, onednn, 3 * flops, traffic, tolerance);
    }

    @Override
    public List<Peer> peers() {
        List<Peer> peers = new ArrayList<>(List.of(Peer.GATUN));
        if (onednn) {
            peers.add(Peer.ONEDNN);
        }
        if (!script.isEmpty()) {
            peers.addAll(List.of(Peer.TORCH, Peer.PRELOADED));
        }
        return peers;
    }

    @Override
    public double bytes(List<float[]> values) {
        if (!Double.isNaN(traffic)) {
            return traffic;
        }
        double read = inputs.stream().mapToDouble(input -> 4.0 * input.shape().elements()).sum();
        double written = values.stream().mapToDouble(value -> 4.0 * value.length).sum();
        return read + written + (gradients ? 4.0 * values.getFirst().length : 0);
    }

    @Override
    public Side open(Peer peer, int threads) throws IOException {
        return peer.torch() ? TorchSide.of(this) : new GatunSide(this, threads, peer == Peer.ONEDNN);
    }

    /** What the output's gradient is multiplied with. */
    Tensor cotangent(List<Tensor> given) {
        return Random.normal(Key.of(12), DType.F32, gatun.apply(given).shape());
    }
}
