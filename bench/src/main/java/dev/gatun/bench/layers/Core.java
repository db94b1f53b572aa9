package dev.gatun.bench.layers;

import static dev.gatun.ops.Activations.eluPlusOne;
import static dev.gatun.ops.Activations.logSigmoid;
import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;
import static dev.gatun.ops.sequence.DeltaRule.deltaRule;
import static dev.gatun.ops.sequence.SLstmCell.sLstmCell;
import static dev.gatun.ops.sequence.SelectiveScan.selectiveScan;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.memory.FastMemory;
import dev.gatun.layers.memory.Memory;
import dev.gatun.layers.memory.Network;
import dev.gatun.ops.Norms;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.Attention;
import dev.gatun.ops.sequence.DecayChunk;
import dev.gatun.ops.sequence.DecayMean;
import dev.gatun.ops.sequence.DeltaRule;
import dev.gatun.ops.sequence.SLstmCell;
import dev.gatun.ops.sequence.SelectiveScan;
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
 * @param states shapes of what is carried from token to token, as libtorch's script of one token keeps it; empty for attention
 * @param token one token: inputs, then states; the output, then the new states
 */
public record Core(
        String name, List<Input> inputs, Function<List<Tensor>, Tensor> gatun, List<Shape> states, Function<List<Tensor>, List<Tensor>> token) {

    /**
     * One argument.
     *
     * @param from made of normal numbers
     * @param tracked whether its gradient is asked for
     */
    public record Input(String name, Shape shape, UnaryOperator<Tensor> from, boolean tracked) {

        public Tensor make() {
            return from.apply(Random.normal(Key.of(11).child(name), DType.F32, shape));
        }
    }

    private static final long HEADS = 8;
    private static final long SIZE = 64;
    private static final long STATES = 16;
    /** Tokens whose gradients a memory takes at the same weights, and tokens whose losses a step of Atlas counts. */
    public static final long CHUNK = 16;
    private static final long WINDOW = 8;

    /** The names of all cores. */
    public static List<String> names() {
        return List.of("attention", "linear-attention", "retention", "gla", "deltanet", "mamba", "mamba2", "mlstm", "slstm", "titans", "atlas");
    }

    /** The core of this name for sequences of so many tokens. */
    public static Core of(String name, long tokens) {
        Shape rows = Shape.of(1, HEADS, tokens, SIZE);
        Shape gates = Shape.of(1, HEADS, tokens);
        Shape matrix = Shape.of(1, HEADS, SIZE, SIZE);
        Tensor memory = Tensor.zeros(DType.F32, matrix);
        Tensor open = Tensor.zeros(DType.F32, gates);
        List<Input> qkv = List.of(
                new Input("q", rows, x -> x, true), new Input("k", rows, x -> x, true), new Input("v", rows, x -> x, true));
        List<Input> unit = List.of(
                new Input("q", rows, Norms::l2Norm, true), new Input("k", rows, Norms::l2Norm, true), new Input("v", rows, x -> x, true));
        return switch (name) {
            case "attention" -> new Core(name, qkv, in -> attention(in.get(0), in.get(1), in.get(2), Attention.CAUSAL).o(), List.of(), null);
            case "linear-attention" -> new Core(name, qkv,
                    in -> positive(in, open, DecayMean.State.empty(DType.F32, 1, HEADS, SIZE, SIZE)).h(),
                    List.of(matrix, Shape.of(1, HEADS, 1, SIZE)),
                    in -> {
                        DecayMean.Result r = positive(in, open, new DecayMean.State(in.get(3), in.get(4).dropAxis(2), none(1, HEADS)));
                        return List.of(r.h(), r.state().c(), r.state().n().insertAxis(2));
                    });
            case "retention" -> fading(name, with(qkv, new Input("g", gates, x -> retentionDecays(tokens), false)), memory);
            case "gla" -> fading(name, with(qkv, new Input("g", rows, x -> logSigmoid(x).div(16), true)), memory);
            case "deltanet" -> new Core(name,
                    with(unit, new Input("beta", gates, Tensor::sigmoid, true), new Input("g", gates, x -> logSigmoid(x.add(3)), true)),
                    in -> deltaRule(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), memory).y(),
                    List.of(matrix),
                    in -> {
                        DeltaRule.Result r = deltaRule(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(5));
                        return List.of(r.y(), r.state());
                    });
            case "mamba" -> mamba(name, tokens);
            case "mamba2" -> new Core(name, List.of(
                            new Input("x", rows, x -> x, true),
                            new Input("dt", gates, x -> x.sub(3).exp(), true),
                            new Input("a", Shape.of(HEADS), x -> x.abs().add(0.5).neg(), true),
                            new Input("b", Shape.of(1, 1, tokens, SIZE), x -> x, true),
                            new Input("c", Shape.of(1, 1, tokens, SIZE), x -> x, true),
                            new Input("skip", Shape.of(HEADS), x -> x, true)),
                    in -> dual(in, memory).getFirst(), List.of(matrix), in -> dual(in, in.get(6)));
            case "mlstm" -> new Core(name,
                    with(qkv, new Input("i", gates, x -> x, true), new Input("f", gates, x -> logSigmoid(x.add(3)), true)),
                    in -> stable(in, DecayMean.State.empty(DType.F32, 1, HEADS, SIZE, SIZE)).h(),
                    List.of(matrix, Shape.of(1, HEADS, 1, SIZE), Shape.of(1, HEADS, 1)),
                    in -> {
                        DecayMean.Result r = stable(in, new DecayMean.State(in.get(5), in.get(6).dropAxis(2), in.get(7).dropAxis(2)));
                        return List.of(r.h(), r.state().c(), r.state().n().insertAxis(2), r.state().m().insertAxis(2));
                    });
            case "slstm" -> {
                Tensor none = none(1, HEADS, SIZE);
                Shape part = Shape.of(HEADS, 1, SIZE);
                yield new Core(name, List.of(
                                new Input("wx", Shape.of(1, tokens, 4, HEADS, SIZE), x -> x, true),
                                new Input("r", Shape.of(4, HEADS, SIZE, SIZE), x -> x.mul(0.1), true),
                                new Input("bias", Shape.of(4, HEADS, SIZE), x -> x, true)),
                        in -> sLstmCell(in.get(0), in.get(1), in.get(2), none, none, none, none).y(),
                        List.of(part, part, part, part),
                        in -> {
                            SLstmCell.Result r = sLstmCell(in.get(0), in.get(1), in.get(2),
                                    in.get(3).swap(0, 1), in.get(4).swap(0, 1), in.get(5).swap(0, 1), in.get(6).swap(0, 1));
                            return List.of(r.y(), r.y().dropAxis(1).swap(0, 1), r.c().swap(0, 1), r.n().swap(0, 1), r.m().swap(0, 1));
                        });
            }
            case "titans" -> memory(name, unit, gates, tokens, FastMemory.Config.titans(Network.DEEP, 4 * SIZE, CHUNK));
            case "atlas" -> memory(name, unit, gates, tokens, FastMemory.Config.atlas(Network.DEEP, 4 * SIZE, CHUNK, WINDOW, 0));
            default -> throw new IllegalArgumentException("bench: there is no core \"" + name + "\"");
        };
    }

    /** A memory of two layers that is trained while it reads. */
    private static Core memory(String name, List<Input> unit, Shape gates, long tokens, FastMemory.Config config) {
        boolean windowed = config.window() > 1;
        List<Input> inputs = new ArrayList<>(with(unit,
                new Input("retain", gates, x -> x.add(3).sigmoid(), true),
                new Input("momentum", gates, x -> x.add(1).sigmoid(), true),
                new Input("lr", gates, x -> x.sub(2).sigmoid().mul(0.1), true)));
        if (windowed) {
            inputs.add(new Input("gamma", Shape.of(1, HEADS, tokens, WINDOW), Tensor::sigmoid, true));
        }
        inputs.add(new Input("w1", Shape.of(HEADS, 4 * SIZE, SIZE), x -> x.div(8), true));
        inputs.add(new Input("w2", Shape.of(HEADS, SIZE, 4 * SIZE), x -> x.div(16), true));
        FastMemory memory = new FastMemory(Params.fresh(Key.of(1), DType.F32), HEADS, SIZE, SIZE, config);
        Tensor empty = none(1, HEADS, 0, SIZE);
        return new Core(name, List.copyOf(inputs), in -> {
            Tensor w1 = in.get(in.size() - 2).insertAxis(0);
            Tensor w2 = in.getLast().insertAxis(0);
            FastMemory.State past = new FastMemory.State(List.of(w1, w2),
                    List.of(Tensor.zeros(DType.F32, w1.shape()), Tensor.zeros(DType.F32, w2.shape())), empty, empty);
            Memory.Tokens all = new Memory.Tokens(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), in.get(5), windowed ? in.get(6) : null);
            return memory.forward(all, past, Form.PARALLEL).y();
        }, List.of(), null);
    }

    /** A sum that fades, with q, k, v and log decays. */
    private static Core fading(String name, List<Input> inputs, Tensor empty) {
        return new Core(name, inputs, in -> decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), empty, null, 0).y(),
                List.of(empty.shape()),
                in -> {
                    DecayChunk.Result r = decayChunk(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), null, 0);
                    return List.of(r.y(), r.state());
                });
    }

    private static DecayMean.Result positive(List<Tensor> in, Tensor open, DecayMean.State past) {
        return new DecayMean(DecayMean.Weights.POSITIVE, 1, 1e-6).of(eluPlusOne(in.get(0)), eluPlusOne(in.get(1)), in.get(2), open, open, past);
    }

    private static DecayMean.Result stable(List<Tensor> in, DecayMean.State past) {
        return new DecayMean(DecayMean.Weights.STABLE, 0, 0).of(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), past);
    }

    /** Mamba-2: output and state. */
    private static List<Tensor> dual(List<Tensor> in, Tensor past) {
        DecayChunk.Result r = decayChunk(in.get(4), in.get(3), in.get(0), in.get(1).mul(in.get(2).insertAxis(-1)), past, in.get(1), 1);
        return List.of(r.y().add(in.get(0).mul(in.get(5).reshape(HEADS, 1, 1))), r.state());
    }

    private static Tensor none(long... dims) {
        return Tensor.zeros(DType.F32, Shape.of(dims));
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
                in -> scan(in, none(1, width, STATES)).y(),
                List.of(Shape.of(1, width, STATES)),
                in -> {
                    SelectiveScan.Result r = scan(in, in.get(8));
                    return List.of(r.y(), r.state());
                });
    }

    private static SelectiveScan.Result scan(List<Tensor> in, Tensor past) {
        return selectiveScan(in.get(0), in.get(1), in.get(2), in.get(3), in.get(4), past, in.get(6), in.get(5), in.get(7), true);
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
