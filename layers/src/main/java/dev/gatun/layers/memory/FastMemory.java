package dev.gatun.layers.memory;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.ops.sequence.MemoryChunk.memoryChunk;
import static dev.gatun.ops.sequence.MemoryScan.carried;
import static dev.gatun.ops.sequence.MemoryScan.memoryScan;
import static dev.gatun.ops.sequence.NewtonSchulz.newtonSchulz;
import static dev.gatun.ops.sequence.OrthogonalSteps.orthogonalSteps;

import dev.gatun.autograd.Checkpoint;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Functions;
import dev.gatun.layers.Form;
import dev.gatun.layers.Init;
import dev.gatun.layers.Params;
import dev.gatun.layers.States;
import dev.gatun.layers.Step;
import dev.gatun.ops.sequence.MemoryChunk;
import dev.gatun.ops.sequence.OrthogonalSteps;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * A network whose weights are trained while a sequence is read: Titans (arXiv 2501.00663, equations 8 to 18) and the
 * Omega rule of ATLAS (arXiv 2505.23735, equations 9 to 16, 32 to 35, 56 to 58). With the loss of the last c tokens
 *
 * <pre>
 * G_t = gradient, at the anchor, of  sum over ages j &lt; c of γ_tj ‖M(φ(k_{t-j})) - v_{t-j}‖²
 * S_t = μ_t S_{t-1} - λ_t G_t          W_t = r_t W_{t-1} + S_t            y_t = M(φ(q_t); W_t)
 * </pre>
 *
 * (or another {@link Rule} for S and W). The anchor is the weights at the start of the token's chunk; a chunk of 1 is
 * the exact recurrence. The chunk is part of the model, not of the form. Our readings: a token is read after it is written;
 * γ and λ multiply; pairs before the sequence are dropped, those before the chunk are evaluated at the chunk's anchor.
 *
 * <p>The recurrent form does this step by step. The others hold no weights per token as long as steps are sums of gradients:
 * with R and M the products of retentions and momenta between two tokens and Ω the band of {@code λ γ}, token t reads
 *
 * <pre>
 * W_t x = β_t W x + f_t S x - sum over i of (R M Ω)_ti (x · x_i) δ_i
 * </pre>
 *
 * where {@code δ_i x_iᵀ} is token i's gradient (layers.md 5.3 and 6.3). {@code [R M Ω, f, β]} come from two linear scans, products
 * only, so that gates may be 0. Newton-Schulz is not linear, but its steps of a piece share their terms:
 * {@link OrthogonalSteps}. What a piece makes is made again in the sweep; W and S at the borders are kept.
 *
 * <p>State: W and, but for {@code gd}, S, {@code [B, H, out, in]} each; inside a chunk the anchor; the last c - 1 pairs.
 * Cost of a token and weight: about {@code 8 out in} multiplications and additions, with Newton-Schulz
 * {@code 5 (4 r² c + 2 r³)}, r the smaller side and c the larger.
 */
public final class FastMemory implements Memory<FastMemory.State> {

    private static final String NAME = "memory";

    /** Numbers of weights per token that one slice of a chunk may hold. */
    private static final long SLICE = 1L << 22;

    /**
     * What a memory is.
     *
     * @param network the network
     * @param hidden its hidden features
     * @param rule how its weights move
     * @param loss what they are trained on
     * @param chunk tokens whose gradients are taken at the same weights
     * @param window tokens whose losses a step counts
     * @param degree of the polynomial features that lift keys and queries; 0 for none
     */
    public record Config(Network network, long hidden, Rule rule, Loss loss, long chunk, long window, int degree) {

        public Config {
            if (chunk < 1 || window < 1 || hidden < 1 || degree < 0) {
                throw new IllegalArgumentException("memory: chunk " + chunk + ", window " + window + " and hidden " + hidden
                        + " must be at least 1, degree " + degree + " not negative");
            }
        }

        /** Titans: momentum, one token's loss. */
        public static Config titans(Network network, long hidden, long chunk) {
            return new Config(network, hidden, Rule.GDM, Loss.SQUARED, chunk, 1, 0);
        }

        /** Atlas: a window, polynomial features, steps made orthogonal. */
        public static Config atlas(Network network, long hidden, long chunk, long window, int degree) {
            return new Config(network, hidden, Rule.MUON, Loss.SQUARED, chunk, window, degree);
        }
    }

    /**
     * The past.
     *
     * @param weights W, {@code [B, H, out, in]} each
     * @param momentum S; empty where the rule has none
     * @param anchor W at the start of the chunk; empty at a chunk's border, where it is W
     * @param keys the last {@code window - 1} keys {@code [B, H, P, K]} before they are lifted, or as many as there were
     * @param values the values with them
     * @param position tokens of the unfinished chunk
     */
    public record State(List<Tensor> weights, List<Tensor> momentum, List<Tensor> anchor, Tensor keys, Tensor values, long position) {

        /** A past at a chunk's border. */
        public State(List<Tensor> weights, List<Tensor> momentum, Tensor keys, Tensor values) {
            this(weights, momentum, List.of(), keys, values, 0);
        }
    }

    private final Config config;
    private final long heads;
    private final long keySize;
    private final long valueSize;
    private final List<Tensor> first = new ArrayList<>();
    private final Tensor normWeight;
    private final Tensor normBias;
    private final Tensor coefficients;

    /** A memory for heads of these sizes. */
    public FastMemory(Params p, long heads, long keySize, long valueSize, Config config) {
        if (config.network.residual() && keySize != valueSize) {
            throw new IllegalArgumentException("memory: a residual adds keys to values, which differ in size: " + keySize
                    + " and " + valueSize);
        }
        this.config = config;
        this.heads = heads;
        this.keySize = keySize;
        this.valueSize = valueSize;
        long in = config.degree == 0 ? keySize : Polynomial.width(keySize, config.degree);
        for (Shape shape : config.network.shapes(in, config.hidden, valueSize)) {
            first.add(p.make("w" + (first.size() + 1), shape.insert(0, heads), Init.normal(1 / Math.sqrt(shape.last()))));
        }
        boolean normed = config.network.postnorm();
        this.normWeight = normed ? p.make("norm_weight", Shape.of(heads, valueSize), Init.ones()) : null;
        this.normBias = normed ? p.make("norm_bias", Shape.of(heads, valueSize), Init.zeros()) : null;
        this.coefficients = config.degree == 0 ? null
                : p.make("poly", Shape.of(config.degree + 1), (key, spec) -> Tensor.of(spec.dtype(), taylor(config.degree)));
    }

    /** {@code 1 / sqrt(i!)}: with these, features multiply to the first terms of the exponential. */
    private static double[] taylor(int degree) {
        double[] c = new double[degree + 1];
        c[0] = 1;
        for (int i = 1; i <= degree; i++) {
            c[i] = c[i - 1] / Math.sqrt(i);
        }
        return c;
    }

    /** What this memory is. */
    public Config config() {
        return config;
    }

    @Override
    public State start(long batch) {
        // Copies: a state may outlive a step, and an optimiser writes over the memory of parameters.
        List<Tensor> weights = first.stream().map(w -> new Functions.Copy().apply(w.expand(w.shape().insert(0, batch)))).toList();
        List<Tensor> momentum = !config.rule.hasMomentum() ? List.of()
                : weights.stream().map(w -> Tensor.zeros(w.dtype(), w.shape())).toList();
        Tensor like = first.getFirst();
        return new State(weights, momentum, Tensor.zeros(like.dtype(), Shape.of(batch, heads, 0, keySize)),
                Tensor.zeros(like.dtype(), Shape.of(batch, heads, 0, valueSize)));
    }

    /** What queries {@code [B, H, T, K]} find in a memory that they do not change. */
    public Tensor read(Tensor q, State past) {
        return config.network.read(lifted(q), q, norm(), Network.fixed(past.weights));
    }

    /** The losses of keys and values at the weights, in one number. */
    Tensor losses(Tensor k, Tensor v, State past) {
        return config.loss.sum(read(k, past), v);
    }

    /**
     * Adds a part of the gradients that their tokens were written without: for token t the gradient, with respect to the weights
     * before it, of what queries q {@code [B, H, J, K]} find, against {@code g [B, H, t, J, V]}. For steps that are sums of
     * gradients, and tokens of one chunk, {@code past} at its border.
     */
    State added(State written, Tokens tokens, State past, Tensor q, Tensor g) {
        long earlier = past.keys.dim(2);
        long n = tokens.time();
        Tensor steps = band(new Piece(tokens, past.weights, past.momentum, List.of(), joined(past.keys, tokens.k()),
                joined(past.values, tokens.v())));
        boolean moving = config.rule.hasMomentum();
        steps = moving ? carried(steps, tokens.momentum()) : steps;
        List<Tensor> weights = moved(written.weights, last(columns(carried(steps, tokens.retain()), earlier, earlier + n)), past, q, g);
        List<Tensor> momentum = moving ? moved(written.momentum, last(columns(steps, earlier, earlier + n)), past, q, g) : List.of();
        return new State(weights, momentum, written.anchor, written.keys, written.values, written.position);
    }

    /** {@code written} less the gradients, each token's weighed, {@code share [B, H, 1, t]}. */
    private List<Tensor> moved(List<Tensor> written, Tensor share, State past, Tensor q, Tensor g) {
        Shape s = g.shape();
        Tensor weighed = share.matmul(g.reshape(Shape.of(s.dim(0), s.dim(1), s.dim(2), s.dim(3) * s.dim(4)))).reshape(s.drop(2));
        // <M(q), g> is the loss of a dot product with -g
        List<Network.Slope> slopes = config.network.slopes(past.weights, lifted(q), q, weighed.neg(), norm(), Loss.DOT);
        List<Tensor> moved = new ArrayList<>();
        for (int i = 0; i < slopes.size(); i++) {
            moved.add(written.get(i).sub(slopes.get(i).delta().transpose().matmul(slopes.get(i).x())));
        }
        return moved;
    }

    @Override
    public Step<State> forward(Tokens tokens, State past, Form form) {
        check(tokens, past);
        List<Tensor> outputs = new ArrayList<>();
        State state = past;
        long time = tokens.time();
        for (long t = 0; t < time;) {
            long whole = form == Form.RECURRENT || !scans(state) ? 0 : (time - t) / config.chunk * config.chunk;
            long end = whole > 0 ? t + whole : Math.min(time, t + (form == Form.RECURRENT ? 1 : piece(state, tokens.q().dim(0))));
            Tokens part = tokens.slice(t, end);
            Step<State> step = whole > 0 ? scanned(part, state) : advance(part, state, form);
            outputs.add(step.y());
            state = step.state();
            t = end;
        }
        Tensor y = outputs.isEmpty() ? Tensor.zeros(tokens.v().dtype(), tokens.v().shape()) : Tensor.concat(2, outputs);
        return new Step<>(y, state);
    }

    /** Tokens up to the next border of a chunk, or fewer where each has weights of its own. */
    private long piece(State state, long batch) {
        long left = config.chunk - state.position;
        if (!config.rule.orthogonal()) {
            return left;
        }
        long numbers = first.stream().mapToLong(w -> w.shape().elements()).sum() * Math.max(1, batch);
        return Math.min(left, Math.max(1, SLICE / Math.max(1, numbers)));
    }

    /** One piece of a chunk: tokens, the past they meet, and where gradients are taken. */
    private record Piece(Tokens tokens, List<Tensor> weights, List<Tensor> momentum, List<Tensor> anchor, Tensor keys, Tensor values) {

        List<Tensor> at() {
            return anchor.isEmpty() ? weights : anchor;
        }
    }

    /** What a piece leaves behind. */
    private record Written(Tensor y, List<Tensor> weights, List<Tensor> momentum) {}

    private Step<State> advance(Tokens x, State past, Form form) {
        Tensor keys = joined(past.keys, x.k());
        Tensor values = joined(past.values, x.v());
        Piece piece = new Piece(x, past.weights, past.momentum, past.anchor, keys, values);
        Written written = form == Form.RECURRENT ? step(piece) : fuses() && past.anchor.isEmpty() ? fused(piece) : recomputed(piece);
        long position = (past.position + x.time()) % config.chunk;
        long from = Math.max(0, keys.dim(2) - (config.window - 1));
        return new Step<>(written.y, new State(written.weights, written.momentum, position == 0 ? List.of() : piece.at(),
                keys.slice(2, from, keys.dim(2)), values.slice(2, from, values.dim(2)), position));
    }

    private static Tensor joined(Tensor past, Tensor x) {
        return past.dim(2) == 0 ? x : Tensor.concat(2, List.of(past, x));
    }

    /** A piece that keeps its inputs and makes the rest again in the sweep. */
    private Written recomputed(Piece piece) {
        Written[] latest = new Written[1];
        List<Tensor> outputs = Checkpoint.run(in -> {
            Iterator<Tensor> next = in.iterator();
            Piece again = States.map(piece, t -> next.next());
            latest[0] = config.rule.orthogonal() ? orthogonal(again) : linear(again);
            return States.tensors(latest[0]);
        }, States.tensors(piece));
        Iterator<Tensor> next = outputs.iterator();
        return States.map(latest[0], t -> next.next());
    }

    private Network.Norm norm() {
        return normWeight == null ? null
                : new Network.Norm(normWeight.reshape(heads, 1, valueSize), normBias.reshape(heads, 1, valueSize));
    }

    private Tensor lifted(Tensor x) {
        return coefficients == null ? x : Polynomial.polynomial(x, coefficients);
    }

    private List<Network.Slope> slopes(Piece p) {
        return config.network.slopes(p.at(), lifted(p.keys), p.keys, p.values, norm(), config.loss);
    }

    /** Ω: what each token's step takes of the gradient of each token of the window, {@code [B, H, n, P + n]}. */
    private Tensor band(Piece p) {
        Tokens x = p.tokens;
        Tensor band = x.gamma() == null ? Bands.diagonal(Bands.column(Tensor.ones(x.q().dtype(), x.rate().shape())), 0)
                : Bands.diagonal(x.gamma(), p.keys.dim(2) - x.time());
        return switch (config.rule) {
            case GD, GDM -> band.mul(Bands.column(x.rate()));
            case MUON -> band;
            case MUON_IN -> band.mul(Bands.column(x.rate()).neg());
        };
    }

    /** {@code sum over i of weight_i δ_i x_iᵀ}, weights a row {@code [B, H, 1, N]}. */
    private static Tensor gathered(Network.Slope slope, Tensor weights) {
        return slope.delta().mul(weights.transpose()).transpose().matmul(slope.x());
    }

    private static Tensor last(Tensor x) {
        return x.slice(2, x.dim(2) - 1, x.dim(2));
    }

    private static Tensor columns(Tensor x, long from, long to) {
        return x.slice(3, from, to);
    }

    /** The definition, for a single token. */
    private Written step(Piece p) {
        Tokens x = p.tokens;
        named("surprise M(k) - v at the anchor", () -> config.network.read(lifted(x.k()), x.k(), norm(), Network.fixed(p.at())).sub(x.v()));
        List<Network.Slope> slopes = slopes(p);
        Tensor band = band(p);
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> momentum = new ArrayList<>();
        for (int i = 0; i < slopes.size(); i++) {
            Tensor g = gathered(slopes.get(i), band);
            if (config.rule == Rule.GD || config.rule == Rule.GDM) {
                g = g.neg();
            }
            Tensor w = x.retain() == null ? p.weights.get(i) : p.weights.get(i).mul(Bands.column(x.retain()));
            if (config.rule.hasMomentum()) {
                g = p.momentum.get(i).mul(Bands.column(x.momentum())).add(g);
                momentum.add(g);
            }
            weights.add(switch (config.rule) {
                case GD, GDM -> w.add(g);
                case MUON -> w.sub(newtonSchulz(g).mul(Bands.column(x.rate())));
                case MUON_IN -> w.add(newtonSchulz(g));
            });
        }
        return new Written(config.network.read(lifted(x.q()), x.q(), norm(), Network.fixed(weights)), weights, momentum);
    }

    /** Whether one op does a piece from a chunk's border on: an mlp with momentum, on tokens as they are. */
    private boolean fuses() {
        return config.rule == Rule.GDM && config.loss == Loss.SQUARED && config.degree == 0 && config.network.layers() > 0
                && !config.network.postnorm();
    }

    /** Whether one op does all whole chunks: each token's loss is its own. */
    private boolean scans(State past) {
        return fuses() && config.window == 1 && past.anchor.isEmpty();
    }

    private Step<State> scanned(Tokens x, State past) {
        Tensor rate = x.gamma() == null ? x.rate() : x.rate().mul(x.gamma().dropAxis(3));
        Tensor retain = x.retain() == null ? Tensor.ones(rate.dtype(), rate.shape()) : x.retain();
        MemoryChunk.Result found = memoryScan(x.q(), x.k(), x.v(), retain, x.momentum(), rate, past.weights, past.momentum,
                config.network.residual(), config.chunk);
        return new Step<>(found.y(), new State(found.weights(), found.momentum(), past.keys, past.values));
    }

    private Written fused(Piece p) {
        Tensor steps = carried(band(p), p.tokens.momentum());
        MemoryChunk.Result found = memoryChunk(p.tokens.q(), p.keys, p.values, carried(steps, p.tokens.retain()), last(steps),
                p.weights, p.momentum, config.network.residual());
        return new Written(found.y(), found.weights(), found.momentum());
    }

    /** Several tokens where steps are sums of gradients: products with masks, no weights per token. */
    private Written linear(Piece p) {
        Tokens x = p.tokens;
        boolean moving = config.rule.hasMomentum();
        List<Network.Slope> slopes = slopes(p);
        Tensor band = band(p);
        long tokens = band.dim(3);
        Tensor steps = moving ? carried(band, x.momentum()) : band;
        Tensor shares = carried(steps, x.retain());
        long own = shares.dim(3) - 1;
        Tensor g = columns(shares, 0, tokens);
        Tensor f = moving ? columns(shares, tokens, own) : null;
        Tensor beta = columns(shares, own, own + 1);
        Tensor y = config.network.read(lifted(x.q()), x.q(), norm(), (i, z) -> {
            Network.Slope slope = slopes.get(i);
            Tensor found = z.matmul(p.weights.get(i).transpose()).mul(beta);
            if (moving) {
                found = found.add(z.matmul(p.momentum.get(i).transpose()).mul(f));
            }
            return found.sub(z.matmul(slope.x().transpose()).mul(g).matmul(slope.delta()));
        });
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> momentum = new ArrayList<>();
        for (int i = 0; i < slopes.size(); i++) {
            Tensor w = p.weights.get(i).mul(last(beta));
            if (moving) {
                Tensor s = p.momentum.get(i);
                w = w.add(s.mul(last(f)));
                momentum.add(s.mul(last(columns(steps, tokens, tokens + 1)))
                        .sub(gathered(slopes.get(i), last(columns(steps, 0, tokens)))));
            }
            weights.add(w.sub(gathered(slopes.get(i), last(g))));
        }
        return new Written(y, weights, momentum);
    }

    /** Several tokens with Newton-Schulz: {@link OrthogonalSteps} reads and sums the steps of each weight, whose narrow side lies first there. */
    private Written orthogonal(Piece p) {
        Tokens x = p.tokens;
        List<Network.Slope> slopes = slopes(p);
        Tensor band = band(p);
        long terms = band.dim(3);
        long n = x.time();
        Tensor sums = carried(band, x.momentum());
        Tensor rate = Bands.column(config.rule.rateInside() ? Tensor.ones(band.dtype(), x.rate().shape()) : x.rate().neg());
        Tensor shares = carried(Bands.diagonal(rate, 0), x.retain());
        Tensor steps = columns(shares, 0, n);
        Tensor beta = columns(shares, n, n + 1);
        Tensor[] weights = new Tensor[slopes.size()];
        List<Tensor> momentum = new ArrayList<>();
        Tensor y = config.network.read(lifted(x.q()), x.q(), norm(), (i, z) -> {
            Tensor w = p.weights.get(i);
            boolean tall = w.dim(2) > w.dim(3);
            Network.Slope slope = slopes.get(i);
            Tensor s = p.momentum.get(i);
            OrthogonalSteps.Result found = orthogonalSteps(sums, tall ? slope.x() : slope.delta(), tall ? slope.delta() : slope.x(),
                    tall ? s.transpose() : s, steps, z, tall);
            weights[i] = w.mul(last(beta)).add(tall ? found.total().transpose() : found.total());
            return z.matmul(w.transpose()).mul(beta).add(found.y());
        });
        for (int i = 0; i < weights.length; i++) {
            momentum.add(p.momentum.get(i).mul(last(columns(sums, terms, terms + 1))).add(gathered(slopes.get(i), last(columns(sums, 0, terms)))));
        }
        return new Written(y, List.of(weights), momentum);
    }

    // ---- what is refused ----

    private void check(Tokens x, State past) {
        Shape q = x.q().shape();
        if (q.rank() != 4 || q.dim(1) != heads || q.dim(3) != keySize) {
            throw new ShapeException("memory: queries are [B, " + heads + ", T, " + keySize + "], not " + q + "\n  q: " + x.q().describe());
        }
        Bands.require(NAME, "k", x.k(), q);
        Bands.require(NAME, "v", x.v(), q.with(3, valueSize));
        Bands.gate(NAME, "retain", x.retain(), q.drop(3), true);
        Bands.gate(NAME, "momentum", x.momentum(), q.drop(3), !config.rule.hasMomentum());
        Bands.gate(NAME, "rate", x.rate(), q.drop(3), false);
        Bands.gate(NAME, "gamma", x.gamma(), q.with(3, config.window), config.window == 1);
        if (past.weights.size() != first.size() || past.momentum.size() != (config.rule.hasMomentum() ? first.size() : 0)) {
            throw new ShapeException("memory: the state is of another memory: it has " + past.weights.size() + " weights and "
                    + past.momentum.size() + " momenta, this one " + first.size() + " weights and rule " + config.rule);
        }
        for (int i = 0; i < first.size(); i++) {
            Shape wanted = first.get(i).shape().insert(0, q.dim(0));
            Bands.require(NAME, "the state's w" + (i + 1), past.weights.get(i), wanted);
            if (config.rule.hasMomentum()) {
                Bands.require(NAME, "the state's s" + (i + 1), past.momentum.get(i), wanted);
            }
        }
        if (past.position < 0 || past.position >= config.chunk || past.position > 0 && past.anchor.size() != first.size()) {
            throw new ShapeException("memory: the state stands at token " + past.position + " of a chunk with an anchor of "
                    + past.anchor.size() + " weights, this memory has chunks of " + config.chunk + " and " + first.size() + " weights");
        }
        if (past.keys.dim(2) > config.window - 1) {
            throw new ShapeException("memory: the state has " + past.keys.dim(2) + " pairs, a window of " + config.window + " keeps "
                    + (config.window - 1));
        }
        Bands.require(NAME, "the state's keys", past.keys, q.with(2, past.keys.dim(2)));
        Bands.require(NAME, "the state's values", past.values, q.with(2, past.keys.dim(2)).with(3, valueSize));
    }
}
