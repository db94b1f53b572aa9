package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.ops.Norms.groupLayerNorm;
import static dev.gatun.ops.sequence.SLstmCell.sLstmCell;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.CausalConv;
import dev.gatun.ops.sequence.SLstmCell;
import java.util.ArrayList;
import java.util.List;

/**
 * sLSTM (Beck et al. 2024, arXiv 2405.04517, section 2.2 and appendix A): an LSTM with exponential input gates whose heads mix
 * their own past through {@code R h[t-1]}, so that it can track what a sum over the past cannot, and steps cannot be done at once.
 *
 * <pre>
 * u = silu(conv(token) + b)                         a filter over the last 4 tokens of each feature
 * i, f = W_i u, W_f u        z, o = W_z token, W_o token        within each head, [d, d] matrices
 * h, c, n, m = cell(i, f, z, o; R, bias)            {@link SLstmCell}
 * y = layer norm of each head's h, weighted
 * </pre>
 *
 * The state is h, c, n and m {@code [B, H, d]} and the filter's last 3 inputs {@code [B, 3, D]}; a token costs about {@code 16 H d²} operations. R starts at 0, so that heads begin
 * without a past of their own; the bias of f runs from 5 down to -7 along a head, faster in the first layers; weights are normal with deviation {@code sqrt(2 / (5 D))}.
 */
public final class SLstm implements SequenceLayer<SLstm.State> {

    private static final String NAME = "sLstm";
    private static final double EPS = 1e-5;
    private static final List<String> GATES = List.of("i", "f", "z", "o");

    /**
     * What an sLSTM layer is.
     *
     * @param width features of a token
     * @param heads parts of the features that mix their own past
     * @param taps tokens the filter sees
     * @param index which layer of the model it is, from 0, for where its forget gates start
     * @param depth layers of the model
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long taps, long index, long depth, long chunk) {

        public Config {
            if (heads < 1 || width < 1 || width % heads != 0) {
                throw new IllegalArgumentException("sLstm: a width of " + width + " does not divide into " + heads + " heads");
            }
            if (taps < 1 || index < 0 || index >= depth) {
                throw new IllegalArgumentException("sLstm: taps " + taps + " must be positive, index " + index + " from 0 to below the depth, " + depth);
            }
            Pieces.chunk(NAME, chunk);
        }

        /** A filter over 4 tokens, the only layer of its model. */
        public static Config of(long width, long heads) {
            return new Config(width, heads, 4, 0, 1, 64);
        }

        /** The same with a filter over so many tokens. */
        public Config taps(long count) {
            return new Config(width, heads, count, index, depth, chunk);
        }

        /** The same as one of several layers. */
        public Config layer(long number, long of) {
            return new Config(width, heads, taps, number, of, chunk);
        }

        /** The same with pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, taps, index, depth, tokens);
        }

        long size() {
            return width / heads;
        }
    }

    /** The past: h, c, n and m {@code [B, H, d]}, and the filter's last inputs {@code [B, taps - 1, D]}. n is 0 before any token. */
    public record State(Tensor h, Tensor c, Tensor n, Tensor m, Tensor conv) {}

    private final Config config;
    private final DType dtype;
    private final ShortConv conv;
    private final List<Tensor> weights = new ArrayList<>();
    private final Tensor mix;
    private final Tensor bias;
    private final Tensor norm;

    public SLstm(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        long size = config.size();
        this.conv = new ShortConv(p.at("conv"), config.width, config.taps, true);
        for (String gate : GATES) {
            weights.add(p.at(gate).make("weight", Shape.of(config.heads, size, size), Init.normal(Math.sqrt(2.0 / (5 * config.width)))));
        }
        this.mix = p.make("mix", Shape.of(4, config.heads, size, size), Init.zeros());
        this.bias = p.make("bias", Shape.of(4, config.heads, size), (key, spec) -> bias(config, spec.dtype()));
        this.norm = p.at("norm").make("weight", Shape.of(config.width), Init.ones());
    }

    /** Zeros, but for f {@code 5 - 12 (j / (d - 1))^(0.3 + 1.3 l / (L - 1))} at feature j of each head in layer l of L. */
    private static Tensor bias(Config config, DType dtype) {
        int size = Math.toIntExact(config.size());
        double power = 0.3 + 1.3 * config.index / Math.max(1, config.depth - 1);
        double[] values = new double[Math.toIntExact(4 * config.width)];
        for (int i = 0; i < config.width; i++) {
            values[(int) config.width + i] = 5 - 12 * Math.pow(i % size / (double) Math.max(1, size - 1), power);
        }
        return Tensor.of(dtype, Shape.of(4, config.heads, size), values);
    }

    @Override
    public State start(long batch) {
        Tensor none = Tensor.zeros(dtype, part(batch));
        return new State(none, none, none, none, conv.start(batch));
    }

    private Shape part(long batch) {
        return Shape.of(batch, config.heads, config.size());
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens(NAME, x, config.width);
        Shape part = part(x.dim(0));
        Given.state(NAME, "h", past.h, part, x);
        Given.state(NAME, "c", past.c, part, x);
        Given.state(NAME, "n", past.n, part, x);
        Given.state(NAME, "m", past.m, part, x);
        Given.state(NAME, "conv", past.conv, conv.past(x.dim(0)), x);
        return Pieces.forward(x, past, form, config.chunk, this::piece);
    }

    private Step<State> piece(Tensor x, State past) {
        long time = x.dim(1);
        CausalConv.Result filtered = conv.forward(x, past.conv);
        Tensor u = heads(filtered.y());
        Tensor token = heads(x);
        List<Tensor> gates = new ArrayList<>();
        for (int gate = 0; gate < 4; gate++) {
            Tensor product = (gate < 2 ? u : token).matmul(weights.get(gate).transpose());
            gates.add(product.swap(1, 2).insertAxis(2));
        }
        Tensor wx = Tensor.concat(2, gates);
        Given.gate(NAME, "[i, f, z, o]", wx);
        named("raw gates i, f, z, o of the token", wx);
        SLstmCell.Result cell = sLstmCell(wx, mix, bias, past.h, past.c, past.n, past.m);
        Tensor last = time == 0 ? past.h : cell.y().slice(1, time - 1, time).dropAxis(1);
        Tensor y = groupLayerNorm(cell.y().reshape(x.shape()), config.heads, norm, EPS);
        return new Step<>(y, new State(last, cell.c(), cell.n(), cell.m(), filtered.state()));
    }

    /** {@code [B, T, D] -> [B, H, T, d]}. */
    private Tensor heads(Tensor x) {
        return x.reshape(x.dim(0), x.dim(1), config.heads, config.size()).swap(1, 2);
    }
}
