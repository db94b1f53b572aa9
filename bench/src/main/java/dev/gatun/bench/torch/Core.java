package dev.gatun.bench.torch;

import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;
import static dev.gatun.ops.sequence.DeltaRule.deltaRule;
import static dev.gatun.ops.sequence.SLstmCell.sLstmCell;
import static dev.gatun.ops.sequence.SelectiveScan.selectiveScan;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Norms;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.Attention;
import dev.gatun.ops.sequence.DecayMean;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * The core of a layer: what it computes between its projections, at width 512 in heads of 64. The script of the same name is
 * the same function in libtorch.
 *
 * @param inputs what both are given
 * @param gatun what our side computes of them
 */
record Core(String name, List<Input> inputs, Function<List<Tensor>, Tensor> gatun) {

    /**
     * One argument.
     *
     * @param from made of normal numbers
     * @param tracked whether its gradient is asked for
     */
    record Input(String name, Shape shape, UnaryOperator<Tensor> from, boolean tracked) {

        Tensor make() {
            return from.apply(Random.normal(Key.of(11).child(name), DType.F32, shape));
        }
    }

    private static final long HEADS = 8;
    private static final long SIZE = 64;
    private static final long STATES = 16;

    /** The core of this name for sequences of so many tokens. */
    static Core of(String name, long tokens) {
        Shape rows = Shape.of(1, HEADS, tokens, SIZE);
        Shape gates = Shape.of(1, HEADS, tokens);
        Tensor memory = Tensor.zeros(DType.F32, Shape.of(1, HEADS, SIZE, SIZE));
        List<Input> qkv = List.of(
                new Input("q", rows, x -> x, true), new Input("k", rows, x -> x, true), new Input("v", rows, x -> x, true));
        List<Input> unit = List.of(
                new Input("q", rows, Norms::l2Norm, true), new Input("k", rows, Norms::l2Norm, true), new Input("v", rows, x -> x, true));
        return switch (name) {
            case "attention" -> new Core(name, qkv, in -> attention(in.get(0), in.get(1), in.get(2), Attention.CAUSAL).o());
            case "linear-attention" -> new Core(name, qkv, in -> new DecayMean(DecayMean.Weights.POSITIVE, 1, 1e-6)
                    .of(eluPlusOne(in.get(0)), eluPlusOne(in.get(1)), in.get(2), Tensor.zeros(DType.F32, gates), Tensor.zeros(DType.F32, gates),
                            DecayMean.State.empty(DType.F32, 1, HEADS, SIZE, SIZE)).h());
            case "retention" -> new Core(name, with(qkv, new Input("g", gates, x -> retentionDecays(tokens), false)),
                    in -> decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), memory, null, 0).y());
            case "gla" -> new Core(name, with(qkv, new Input("g", rows, x -> logSigmoid(x).div(16), true)),
                    in -> decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), memory, null, 0).y());
            case "deltanet" -> new Core(name,
                    with(unit, new Input("beta", gates, Tensor::sigmoid, true), new Input("g", gates, x -> logSigmoid(x.add(3)), true)),
                    in -> deltaRule(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), memory).y());
            case "mamba" -> mamba(name, tokens);
            case "mamba2" -> new Core(name, List.of(
                            new Input("x", rows, x -> x, true),
                            new Input("dt", gates, x -> x.sub(3).exp(), true),
                            new Input("a", Shape.of(HEADS), x -> x.abs().add(0.5).neg(), true),
                            new Input("b", Shape.of(1, 1, tokens, SIZE), x -> x, true),
                            new Input("c", Shape.of(1, 1, tokens, SIZE), x -> x, true),
                            new Input("skip", Shape.of(HEADS), x -> x, true)),
                    in -> decayChunk(in.get(4), in.get(3), in.get(0), in.get(1).mul(in.get(2).insertAxis(-1)), memory, in.get(1), 1).y()
                            .add(in.get(0).mul(in.get(5).reshape(HEADS, 1, 1))));
            case "mlstm" -> new Core(name,
                    with(qkv, new Input("i", gates, x -> x, true), new Input("f", gates, x -> logSigmoid(x.add(3)), true)),
                    in -> new DecayMean(DecayMean.Weights.STABLE, 0, 0).of(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4),
                            DecayMean.State.empty(DType.F32, 1, HEADS, SIZE, SIZE)).h());
            case "slstm" -> new Core(name, List.of(
                            new Input("wx", Shape.of(1, tokens, 4, HEADS, SIZE), x -> x, true),
                            new Input("r", Shape.of(4, HEADS, SIZE, SIZE), x -> x.mul(0.1), true),
                            new Input("bias", Shape.of(4, HEADS, SIZE), x -> x, true)),
                    in -> {
                        Tensor none = Tensor.zeros(DType.F32, Shape.of(1, HEADS, SIZE));
                        return sLstmCell(in.get(0), in.get(1), in.get(2), none, none, none, none).y();
                    });
            default -> throw new IllegalArgumentException("bench: there is no core \"" + name + "\"");
        };
    }

    private static Core mamba(String name, long tokens) {
        long width = 2 * HEADS * SIZE;
        Shape x = Shape.of(1, tokens, width);
        return new Core(name, List.of(
                        new Input("u", x, t -> t, true),
                        new Input("delta", x, t -> t.sub(3), true),
                        new Input("a", Shape.of(width, STATES), t -> t.abs().add(0.5).neg(), true),
                        new Input("b", Shape.of(1, tokens, 1, STATES), t -> t, true),
                        new Input("c", Shape.of(1, tokens, 1, STATES), t -> t, true),
                        new Input("skip", Shape.of(width), t -> t, true),
                        new Input("bias", Shape.of(width), t -> t, true),
                        new Input("z", x, t -> t, true)),
                in -> selectiveScan(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4),
                        Tensor.zeros(DType.F32, Shape.of(1, width, STATES)), in.get(6), in.get(5), in.get(7), true).y());
    }

    private static Tensor eluPlusOne(Tensor x) {
        return dev.gatun.ops.Activations.eluPlusOne(x);
    }

    private static Tensor logSigmoid(Tensor x) {
        return dev.gatun.ops.Activations.logSigmoid(x);
    }

    /** {@code log(1 - 2^(-5 - h))} for head h, the same at every token. */
    private static Tensor retentionDecays(long tokens) {
        double[] decays = new double[(int) (HEADS * tokens)];
        for (int i = 0; i < decays.length; i++) {
            decays[i] = Math.log1p(-Math.pow(2, -5 - i / tokens));
        }
        return Tensor.of(DType.F64, decays).to(DType.F32).reshape(1, HEADS, tokens);
    }

    private static List<Input> with(List<Input> some, Input... more) {
        List<Input> all = new ArrayList<>(some);
        all.addAll(List.of(more));
        return List.copyOf(all);
    }
}
