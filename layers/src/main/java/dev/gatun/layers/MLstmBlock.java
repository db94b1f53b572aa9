package dev.gatun.layers;

import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Norms.groupLayerNorm;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.CausalConv;
import java.util.List;

/**
 * The block of the first xLSTM paper around the cell of {@link MLstm}. Beck et al. 2024, arXiv 2405.04517, figure 11 (appendix A).
 * {@code [x; z] = up u}, both of twice the width, and
 *
 * <pre>
 * c = silu(conv(x) + b)                               a causal convolution over time
 * q, k = blocks of c,  v = blocks of x                block-diagonal maps of a few features each
 * i, f = linear of [q; k; v]                          a number for each head
 * y = down((norm(cell(q, k, v, i, f)) w + skip ⊙ c) ⊙ silu(z))
 * </pre>
 *
 * with the layer norm of each head by itself. No feed-forward follows it in the paper. A token costs {@code O(H K V)} at any position;
 * the state has {@code H (K V + K + 1)} numbers and the last {@code taps - 1} inputs of the convolution.
 */
public final class MLstmBlock implements SequenceLayer<MLstmBlock.State> {

    /**
     * What a block is.
     *
     * @param width features of a token
     * @param heads heads
     * @param inner features between up and down
     * @param taps taps of the convolution
     * @param blockSize features of one block of the maps to q, k and v
     * @param depth blocks of the model, which the first weights of {@code down} depend on
     * @param sigmoidInput whether the input gate is a sigmoid instead of an exponential
     * @param eps added to the cell's denominator
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long inner, long taps, long blockSize, long depth, boolean sigmoidInput, double eps, long chunk) {

        public Config {
            if (heads < 1 || inner < 1 || inner % heads != 0) {
                throw new IllegalArgumentException("mlstm block: " + inner + " features do not divide into " + heads + " heads");
            }
            if (blockSize < 1 || inner % blockSize != 0) {
                throw new IllegalArgumentException("mlstm block: " + inner + " features do not divide into blocks of " + blockSize);
            }
            if (taps < 1 || depth < 1) {
                throw new IllegalArgumentException("mlstm block: taps and depth must be positive, are " + taps + " and " + depth);
            }
            if (!(eps >= 0)) {
                throw new IllegalArgumentException("mlstm block: eps must not be negative, is " + eps);
            }
            Pieces.chunk("mlstm block", chunk);
        }

        /** Twice the width, rounded up to a multiple of 64, 4 taps, blocks of 4, an exponential input gate. */
        public static Config of(long width, long heads) {
            return new Config(width, heads, Math.ceilDiv(2 * width, 64) * 64, 4, 4, 1, false, 0, Pieces.CHUNK);
        }

        /** The same with another number of features inside. */
        public Config inner(long features) {
            return new Config(width, heads, features, taps, blockSize, depth, sigmoidInput, eps, chunk);
        }

        /** The same with another number of taps and other blocks. */
        public Config sizes(long convolution, long block) {
            return new Config(width, heads, inner, convolution, block, depth, sigmoidInput, eps, chunk);
        }

        /** The same in a model of so many blocks. */
        public Config depth(long blocks) {
            return new Config(width, heads, inner, taps, blockSize, blocks, sigmoidInput, eps, chunk);
        }

        /** The same with another input gate, and something added to the cell's denominator. */
        public Config cell(boolean sigmoid, double added) {
            return new Config(width, heads, inner, taps, blockSize, depth, sigmoid, added, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, inner, taps, blockSize, depth, sigmoidInput, eps, tokens);
        }
    }

    /** The past: the cell's, and the inputs {@code [B, taps - 1, inner]} that the convolution still needs. */
    public record State(MLstm.State cell, Tensor inputs) {}

    private static final double NORM_EPS = 1e-5;

    private final Config config;
    private final DType dtype;
    private final Linear up;
    private final ShortConv conv;
    private final Tensor query;
    private final Tensor key;
    private final Tensor value;
    private final Tensor inputWeight;
    private final Tensor inputBias;
    private final Tensor forgetWeight;
    private final Tensor forgetBias;
    private final Tensor norm;
    private final Tensor skip;
    private final Linear down;

    /**
     * A block with parameters {@code up}, {@code conv}, {@code query}, {@code key}, {@code value}, {@code input_gate}, {@code forget_gate},
     * {@code norm}, {@code skip} and {@code down}.
     */
    public MLstmBlock(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        Init small = Init.normal(Math.sqrt(2 / (5.0 * config.width)));
        this.up = new Linear(p.drawing(small).at("up"), config.width, 2 * config.inner);
        this.conv = new ShortConv(p.at("conv"), config.inner, config.taps, true);
        Shape blocks = Shape.of(config.inner / config.blockSize, config.blockSize, config.blockSize);
        this.query = p.at("query").make("weight", blocks, small);
        this.key = p.at("key").make("weight", blocks, small);
        this.value = p.at("value").make("weight", blocks, small);
        Shape gates = Shape.of(config.heads, 3 * config.inner);
        this.inputWeight = p.at("input_gate").make("weight", gates, Init.zeros());
        this.inputBias = p.at("input_gate").make("bias", Shape.of(config.heads), Init.normal(0.1));
        this.forgetWeight = p.at("forget_gate").make("weight", gates, Init.zeros());
        this.forgetBias = p.at("forget_gate").make("bias", Shape.of(config.heads), MLstm.forgetBias());
        this.norm = p.at("norm").make("weight", Shape.of(config.inner), Init.ones());
        this.skip = p.make("skip", Shape.of(config.inner), Init.ones());
        this.down = new Linear(p.drawing(Init.normal(2 / (config.depth * Math.sqrt(config.width)))).at("down"), config.inner, config.width);
    }

    @Override
    public State start(long batch) {
        long size = config.inner / config.heads;
        return new State(MLstm.State.empty(dtype, batch, config.heads, size, size),
                conv.start(batch));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("mlstm block", x, config.width);
        long size = config.inner / config.heads;
        past.cell.require("mlstm block", x, config.heads, size, size);
        Given.state("mlstm block", "inputs", past.inputs, conv.past(x.dim(0)), x);
        Tensor all = up.forward(x);
        Tensor inside = all.slice(2, 0, config.inner).contiguous();
        Tensor z = all.slice(2, config.inner, 2 * config.inner);
        CausalConv.Result filtered = conv.forward(inside, past.inputs);
        Tensor c = filtered.y();
        Tensor q = blocks(query, c);
        Tensor k = blocks(key, c);
        Tensor v = blocks(value, inside);
        Tensor qkv = Tensor.concat(2, List.of(q, k, v));
        Tensor i = Linear.apply(inputWeight, qkv).add(inputBias).swap(1, 2);
        Tensor f = Linear.apply(forgetWeight, qkv).add(forgetBias).swap(1, 2);
        Given.gate("mlstm block", "i", i);
        Given.gate("mlstm block", "f", f);
        Step<MLstm.State> cell = new MLstm.Cell(config.sigmoidInput, config.eps, config.chunk)
                .of(split(q, config.heads), split(k, config.heads), split(v, config.heads), i, f, past.cell, form);
        Tensor h = groupLayerNorm(merge(cell.y()), config.heads, norm, NORM_EPS);
        return new Step<>(down.forward(h.add(skip.mul(c)).mul(silu(z))), new State(cell.state(), filtered.state()));
    }

    /** A block-diagonal map: part g of the last axis is multiplied with {@code weight[g]}, which is {@code [out, in]}. */
    private static Tensor blocks(Tensor weight, Tensor x) {
        Tensor parts = x.reshape(x.dim(0) * x.dim(1), weight.dim(0), weight.dim(2)).swap(0, 1);
        return parts.matmul(weight.transpose()).swap(0, 1).reshape(x.shape());
    }
}
