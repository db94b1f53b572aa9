package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.Activations.logSigmoid;
import static dev.gatun.ops.Activations.softcap;
import static dev.gatun.ops.Norms.groupLayerNorm;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.DecayMean;
import dev.gatun.ops.sequence.DecayMean.Weights;

/**
 * The mLSTM, an LSTM whose cell is a matrix: the layer of xLSTM 7B. Beck et al. 2024, arXiv 2405.04517, equations 19 to 27 for the cell;
 * Beck et al. 2025, arXiv 2503.13427, section 3 and appendix A for the layer. q and k are projections of x to half the width, v and o to the
 * whole, split into heads; for each head
 *
 * <pre>
 * i_t = c tanh((w_i x_t + b_i) / c)      f_t = logsigmoid(c tanh((w_f x_t + b_f) / c))          c = 15
 * C_t = exp(f_t) C_{t-1} + exp(i_t) k_t v_tᵀ          [K, V]
 * n_t = exp(f_t) n_{t-1} + exp(i_t) k_t               [K]
 * h_t = C_tᵀ q_t / max(|n_tᵀ q_t|, 1)                 with q_t / sqrt K for q_t
 * y_t = out(norm(h_t) w ⊙ σ(o_t))
 * </pre>
 *
 * with the layer norm of each head by itself. C and n are stored divided by {@code exp(m)}, where m moves with the gates so that
 * nothing overflows (equation 15). With the bounded input gate {@code exp(i)} is {@code σ(i)}, and m stays 0. A token
 * costs {@code O(H K V)} at any position; the state has {@code H (K V + K + 1)} numbers.
 *
 * <p>The papers give the input gate's bias, -10; that the forget gate's is spread from 3 to 6 over the heads, as in the first
 * paper, is our reading.
 */
public final class MLstm implements SequenceLayer<MLstm.State> {

    /**
     * What an mLSTM layer is.
     *
     * @param width features of a token, of all values and of the output gate
     * @param heads heads
     * @param keyWidth features of all queries, and of all keys
     * @param gateCap c in {@code c tanh(x / c)} on both gates; 0 for none
     * @param inputBias where the input gate's bias starts
     * @param sigmoidInput whether the input gate is a sigmoid instead of an exponential
     * @param eps added to the cell's denominator; 0 keeps all forms the same function
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long keyWidth, double gateCap, double inputBias, boolean sigmoidInput, double eps, long chunk) {

        public Config {
            if (heads < 1 || width % heads != 0 || keyWidth < 1 || keyWidth % heads != 0) {
                throw new IllegalArgumentException("mlstm: values of " + width + " and keys of " + keyWidth + " features do not divide into "
                        + heads + " heads");
            }
            if (!(eps >= 0) || !(gateCap >= 0)) {
                throw new IllegalArgumentException("mlstm: eps and the cap of gates must not be negative, are " + eps + " and " + gateCap);
            }
            Pieces.chunk("mlstm", chunk);
        }

        /** Keys of half the width, gates capped at 15, input bias -10, an exponential input gate. */
        public static Config of(long width, long heads) {
            return new Config(width, heads, width / 2, 15, -10, false, 0, Pieces.CHUNK);
        }

        /** The same with keys of another width. */
        public Config keyWidth(long features) {
            return new Config(width, heads, features, gateCap, inputBias, sigmoidInput, eps, chunk);
        }

        /** The same with another cap on gates, or none. */
        public Config gateCap(double cap) {
            return new Config(width, heads, keyWidth, cap, inputBias, sigmoidInput, eps, chunk);
        }

        /** The same with an input gate that starts elsewhere. */
        public Config inputBias(double bias) {
            return new Config(width, heads, keyWidth, gateCap, bias, sigmoidInput, eps, chunk);
        }

        /** The same with a sigmoid for input gate, or an exponential. */
        public Config sigmoidInput(boolean bounded) {
            return new Config(width, heads, keyWidth, gateCap, inputBias, bounded, eps, chunk);
        }

        /** The same with something added to the cell's denominator. */
        public Config eps(double added) {
            return new Config(width, heads, keyWidth, gateCap, inputBias, sigmoidInput, added, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, keyWidth, gateCap, inputBias, sigmoidInput, eps, tokens);
        }

        private Cell cell() {
            return new Cell(sigmoidInput, eps, chunk);
        }
    }

    /** The past: {@code c [B, H, K, V]} and {@code n [B, H, K]}, to be multiplied with the exponential of {@code m [B, H]}. */
    public record State(Tensor c, Tensor n, Tensor m) {

        /** The state before any token. */
        public static State empty(DType dtype, long batch, long heads, long keySize, long valueSize) {
            DecayMean.State none = DecayMean.State.empty(dtype, batch, heads, keySize, valueSize);
            return new State(none.c(), none.n(), none.m());
        }

        void require(String layer, Tensor x, long heads, long keySize, long valueSize) {
            long batch = x.dim(0);
            Given.state(layer, "c", c, Shape.of(batch, heads, keySize, valueSize), x);
            Given.state(layer, "n", n, Shape.of(batch, heads, keySize), x);
            Given.state(layer, "m", m, Shape.of(batch, heads), x);
        }
    }

    /**
     * The cell, without the layer around it.
     *
     * @param sigmoidInput whether the input gate is a sigmoid instead of an exponential
     * @param eps added to the denominator
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Cell(boolean sigmoidInput, double eps, long chunk) {

        /** Of q and k {@code [B, H, T, K]}, v {@code [B, H, T, V]} and raw gates {@code [B, H, T]} after a past: {@code [B, H, T, V]}. */
        public Step<State> of(Tensor q, Tensor k, Tensor v, Tensor input, Tensor forget, State past, Form form) {
            DecayMean mean = new DecayMean(sigmoidInput ? Weights.BOUNDED : Weights.STABLE, 0, eps);
            Tensor logInput = sigmoidInput ? logSigmoid(input) : input;
            Tensor logForget = logSigmoid(forget);
            named("logarithm of the input gate", logInput);
            named("forget gate", logForget::exp);
            named("k", k);
            named("v", v);
            return Pieces.over(q.dim(2), chunk, form, 2, past, (from, to, before) -> {
                DecayMean.Result r = mean.of(part(q, 2, from, to), part(k, 2, from, to), part(v, 2, from, to),
                        part(logInput, 2, from, to), part(logForget, 2, from, to), new DecayMean.State(before.c, before.n, before.m));
                return new Step<>(r.h(), new State(r.state().c(), r.state().n(), r.state().m()));
            });
        }
    }

    private static final double NORM_EPS = 1e-6;

    private final Config config;
    private final DType dtype;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear outputGate;
    private final Tensor inputWeight;
    private final Tensor inputBias;
    private final Tensor forgetWeight;
    private final Tensor forgetBias;
    private final Tensor norm;
    private final Linear out;

    /**
     * A layer with parameters {@code query}, {@code key}, {@code value}, {@code output_gate}, {@code input_gate} and {@code forget_gate}
     * (biased), {@code norm} and {@code out}.
     */
    public MLstm(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        this.query = new Linear(p.at("query"), config.width, config.keyWidth);
        this.key = new Linear(p.at("key"), config.width, config.keyWidth);
        this.value = new Linear(p.at("value"), config.width, config.width);
        this.outputGate = new Linear(p.at("output_gate"), config.width, config.width);
        this.inputWeight = p.at("input_gate").weight("weight", config.width, config.heads);
        this.inputBias = p.at("input_gate").make("bias", Shape.of(config.heads), Init.constant(config.inputBias));
        this.forgetWeight = p.at("forget_gate").weight("weight", config.width, config.heads);
        this.forgetBias = p.at("forget_gate").make("bias", Shape.of(config.heads), forgetBias());
        this.norm = p.at("norm").make("weight", Shape.of(config.width), Init.ones());
        this.out = new Linear(p.at("out"), config.width, config.width);
    }

    /** Biases spread evenly from 3 to 6: heads that remember for some tens to some hundreds of tokens. */
    static Init forgetBias() {
        return (key, spec) -> {
            long heads = spec.shape().last();
            return Tensor.arange(spec.dtype(), heads).mul(heads == 1 ? 0 : 3.0 / (heads - 1)).add(3);
        };
    }

    @Override
    public State start(long batch) {
        return State.empty(dtype, batch, config.heads, config.keyWidth / config.heads, config.width / config.heads);
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("mlstm", x, config.width);
        past.require("mlstm", x, config.heads, config.keyWidth / config.heads, config.width / config.heads);
        Tensor q = split(query.forward(x), config.heads);
        Tensor k = split(key.forward(x), config.heads);
        Tensor v = split(value.forward(x), config.heads);
        Tensor i = gate(inputWeight, inputBias, x);
        Tensor f = gate(forgetWeight, forgetBias, x);
        Given.gate("mlstm", "i", i);
        Given.gate("mlstm", "f", f);
        Step<State> cell = config.cell().of(q, k, v, i, f, past, form);
        Tensor h = groupLayerNorm(merge(cell.y()), config.heads, norm, NORM_EPS);
        return new Step<>(out.forward(h.mul(outputGate.forward(x).sigmoid())), cell.state());
    }

    /** Raw gates {@code [B, H, T]}, capped. */
    private Tensor gate(Tensor weight, Tensor bias, Tensor x) {
        Tensor raw = Linear.apply(weight, x).add(bias);
        return (config.gateCap == 0 ? raw : softcap(raw, config.gateCap)).swap(1, 2);
    }
}
