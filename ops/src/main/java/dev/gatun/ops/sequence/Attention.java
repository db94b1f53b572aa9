package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Softmax attention: {@code o_i = sum over visible j of exp(s_ij - lse_i) v_j} with {@code s_ij = scale * <q_i, k_j>}
 * and {@code lse_i} the logarithm of the sum of {@code exp(s_ij)}. Inputs are q {@code [B, Hq, Tq, K]},
 * k {@code [B, Hkv, Tk, K]}, v {@code [B, Hkv, Tk, V]} and perhaps a mask of keys, BOOL {@code [B, Tk]}; Hq is a multiple of
 * Hkv, and neighbouring query heads share a key head. A row that sees no key gives {@code o = 0}, {@code lse = -inf} and no
 * gradient. Memory grows with the lengths, not with their product.
 *
 * <p>The record says which keys are seen. Queries are the last ones of the sequence: query i stands at
 * {@code p = i + Tk - Tq}.
 *
 * @param scale factor on the products; 0 stands for one over the square root of K
 * @param causal whether a query sees no key after its own position
 * @param window how many keys up to its own a query sees; 0 for all
 * @param prefix how many first keys are seen in spite of the window
 * @param softcap c in {@code s = c tanh(s / c)}; 0 for none
 */
public record Attention(double scale, boolean causal, long window, long prefix, double softcap) implements Composed {

    /** Every query sees every key. */
    public static final Attention FULL = new Attention(0, false, 0, 0, 0);

    /** A query sees the keys up to its own position. */
    public static final Attention CAUSAL = new Attention(0, true, 0, 0, 0);

    /** Output {@code [B, Hq, Tq, V]} and logarithm of the sum of exponentials {@code [B, Hq, Tq]}. */
    public record Result(Tensor o, Tensor lse) {}

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> dense(a) && AttentionForms.answers()).strided(), plain().when(Attention::dense).strided(),
            fast().when(a -> a.isF32() && AttentionForms.answers()), plain(),
            Kernel.reference(Attention::queries, Attention::rows),
            AttentionLaunch.forward(true), AttentionLaunch.forward(false));

    private static Kernel fast() {
        return Kernel.vector(AttentionTiles::forwardItems, (a, from, to) -> AttentionTiles.forward(a, from, to, AttentionForms.WARM.fast()))
                .costing(AttentionTiles::forwardNanos).warmsItself();
    }

    private static Kernel plain() {
        return Kernel.scalar(AttentionTiles::forwardItems, (a, from, to) -> AttentionTiles.forward(a, from, to, AttentionPlain.STEPS))
                .costing(AttentionTiles::forwardNanos);
    }

    public Attention {
        if (window < 0 || prefix < 0 || !(softcap >= 0) || Double.isNaN(scale)) {
            throw new IllegalArgumentException("attention: window " + window + ", prefix " + prefix + " and softcap " + softcap
                    + " must not be negative, scale " + scale + " must be a number");
        }
    }

    /** Attention of queries to keys and values. */
    public static Result attention(Tensor q, Tensor k, Tensor v, Attention how) {
        return result(how.applyAll(q, k, v));
    }

    /** Attention to those keys whose mask is true. */
    public static Result attention(Tensor q, Tensor k, Tensor v, Tensor mask, Attention how) {
        return result(how.applyAll(q, k, v, mask));
    }

    /**
     * Joins attention of the same queries to disjoint sets of keys into attention to all of them:
     * {@code lse = log sum of exp(lse_r)}, {@code o = sum of exp(lse_r - lse) o_r}.
     */
    public static Result merge(List<Result> parts) {
        Tensor lse = Tensor.concat(-1, parts.stream().map(part -> part.lse.insertAxis(-1)).toList());
        Softened all = soften(lse);
        Tensor o = null;
        for (int r = 0; r < parts.size(); r++) {
            Tensor part = parts.get(r).o.mul(all.shares.slice(-1, r, r + 1));
            o = o == null ? part : o.add(part);
        }
        return new Result(o, all.log.dropAxis(-1));
    }

    private static Result result(List<Tensor> out) {
        return new Result(out.get(0), out.get(1));
    }

    /** The same with another factor on the products. */
    public Attention scale(double scale) {
        return new Attention(scale, causal, window, prefix, softcap);
    }

    /** The same, seeing only the last {@code keys} keys up to a query's own, and the first {@code prefix}. */
    public Attention window(long keys, long prefix) {
        return new Attention(scale, causal, keys, prefix, softcap);
    }

    /** The same with scores bent to stay between {@code -c} and {@code c}. */
    public Attention softcap(double c) {
        return new Attention(scale, causal, window, prefix, c);
    }

    double scaleFor(long width) {
        return scale == 0 ? 1 / Math.sqrt(Math.max(1, width)) : scale;
    }

    Sight sight(long queries, long keys) {
        return new Sight(keys - queries, causal, window, prefix);
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "mask");
    }

    @Override
    public boolean mayBeInfinite(int output) {
        return output == 1;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Spec q = in[0];
        Spec k = in[1];
        Spec v = in[2];
        if (!q.dtype().isFloat() || k.dtype() != q.dtype() || v.dtype() != q.dtype()) {
            throw new DTypeException("one type of real numbers is needed: q is " + q.dtype() + ", k " + k.dtype() + ", v " + v.dtype());
        }
        if (q.shape().rank() != 4 || k.shape().rank() != 4 || v.shape().rank() != 4) {
            throw new ShapeException("q, k and v have four axes [B, H, T, D], not "
                    + q.shape().rank() + ", " + k.shape().rank() + " and " + v.shape().rank());
        }
        same("batch sizes", q.shape().dim(0), "q", k.shape().dim(0), "k");
        same("batch sizes", q.shape().dim(0), "q", v.shape().dim(0), "v");
        same("numbers of heads", k.shape().dim(1), "k", v.shape().dim(1), "v");
        same("numbers of keys", k.shape().dim(2), "k", v.shape().dim(2), "v");
        same("key widths", q.shape().dim(3), "q", k.shape().dim(3), "k");
        long heads = q.shape().dim(1);
        long keyHeads = k.shape().dim(1);
        if (keyHeads == 0 ? heads > 0 : heads % keyHeads != 0) {
            throw new ShapeException("heads of q must be a multiple of those of k: " + heads + " and " + keyHeads);
        }
        if (in.length > 3) {
            if (in[3].dtype() != DType.BOOL) {
                throw new DTypeException("a mask of truth values (bool) is needed, not " + in[3].dtype());
            }
            Shape mask = Shape.of(k.shape().dim(0), k.shape().dim(2));
            if (!in[3].shape().equals(mask)) {
                throw new ShapeException("a mask of keys is [B, Tk] = " + mask + ", not " + in[3].shape());
            }
        }
        return List.of(q.with(q.shape().with(3, v.shape().dim(3))), q.with(q.shape().drop(3)));
    }

    private static void same(String what, long one, String in, long other, String inOther) {
        if (one != other) {
            throw new ShapeException(what + " differ: " + one + " in " + in + ", " + other + " in " + inOther);
        }
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    private static boolean dense(Args a) {
        return a.isF32() && AttentionTiles.takes(a, 0, 1, 2) && (a.inputs() < 4 || a.contiguous(3));
    }

    private static long queries(Args a) {
        return a.outSpec(1).shape().elements();
    }

    /** What attention means, one query at a time and in double. */
    static void rows(Args a, long from, long to) {
        Attention op = a.op(Attention.class);
        long heads = a.shape(0).dim(1);
        long queries = a.shape(0).dim(2);
        long keys = a.shape(1).dim(2);
        long width = a.shape(2).last();
        long group = heads / Math.max(1, a.shape(1).dim(1));
        for (long row = from; row < to; row++) {
            long batch = row / queries / heads;
            long keyHead = row / queries / group;
            double[] s = op.scores(a, row, keyHead, batch, a.inputs() > 3 ? 3 : -1);
            double max = Double.NEGATIVE_INFINITY;
            for (double x : s) {
                max = Math.max(max, x);
            }
            double sum = 0;
            for (double x : s) {
                sum += max == Double.NEGATIVE_INFINITY ? 0 : Math.exp(x - max);
            }
            double lse = max + Math.log(sum);
            a.set(1, row, lse);
            for (long d = 0; d < width; d++) {
                double o = 0;
                for (int j = 0; j < keys; j++) {
                    if (s[j] != Double.NEGATIVE_INFINITY) {
                        o += Math.exp(s[j] - lse) * a.get(2, (keyHead * keys + j) * width + d);
                    }
                }
                a.set(0, row * width + d, o);
            }
        }
    }

    /** The scores of one query for all keys, -inf where it sees none; q and k are inputs 0 and 1. */
    double[] scores(Args a, long row, long keyHead, long batch, int mask) {
        long queries = a.shape(0).dim(2);
        long keys = a.shape(1).dim(2);
        long width = a.shape(0).last();
        Sight sight = sight(queries, keys);
        double[] s = new double[Math.toIntExact(keys)];
        for (int j = 0; j < keys; j++) {
            if (!sight.sees(row % queries, j) || mask >= 0 && a.getLong(mask, batch * keys + j) == 0) {
                s[j] = Double.NEGATIVE_INFINITY;
                continue;
            }
            double product = 0;
            for (long d = 0; d < width; d++) {
                product += a.get(0, row * width + d) * a.get(1, (keyHead * keys + j) * width + d);
            }
            double score = product * scaleFor(width);
            s[j] = softcap == 0 ? score : softcap * Math.tanh(score / softcap);
        }
        return s;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor s = scores(in[0], in[1], in.length > 3 ? in[3] : null);
        Softened softened = soften(s);
        Tensor o = grouped(softened.shares, in[1]).matmul(in[2]);
        Shape q = in[0].shape();
        return List.of(o.reshape(q.with(3, in[2].dim(3))), softened.log.reshape(q.drop(3)));
    }

    /** Shares of the last axis, and the logarithm of the sum of exponentials, which keeps the axis. */
    private record Softened(Tensor shares, Tensor log) {}

    /** Softmax that gives zeros for rows of -inf; every step has finite slopes there. */
    private static Softened soften(Tensor s) {
        Tensor zero = Tensor.zeros(s.dtype(), Shape.of());
        Tensor max = s.detach().max(-1);
        Tensor base = max.eq(Double.NEGATIVE_INFINITY).select(zero, max);
        Tensor e = s.sub(base).exp();
        Tensor sum = e.sum(-1);
        Tensor empty = sum.detach().eq(0);
        Tensor total = empty.select(Tensor.ones(s.dtype(), Shape.of()), sum);
        Tensor nothing = Tensor.full(s.dtype(), Shape.of(), Double.NEGATIVE_INFINITY);
        return new Softened(e.div(total), empty.select(nothing, base.add(total.log())));
    }

    /** Scores {@code [B, Hkv, G, Tq, Tk]}, capped, -inf where a key is not seen. */
    Tensor scores(Tensor q, Tensor k, Tensor mask) {
        Shape five = Shape.of(k.dim(0), k.dim(1), group(q, k), q.dim(2), k.dim(2));
        Tensor s = grouped(q, k).matmul(k.transpose()).mul(scaleFor(q.dim(3))).reshape(five);
        if (softcap > 0) {
            s = s.div(softcap).tanh().mul(softcap);
        }
        Tensor visible = visible(q, k, mask);
        Tensor never = Tensor.full(q.dtype(), Shape.of(), Double.NEGATIVE_INFINITY);
        return visible == null ? s : visible.select(s, never);
    }

    /** Which keys are seen, against {@code [B, Hkv, G, Tq, Tk]}; null when all are. */
    Tensor visible(Tensor q, Tensor k, Tensor mask) {
        Tensor key = Tensor.arange(DType.F64, k.dim(2));
        Tensor position = Tensor.arange(DType.F64, q.dim(2)).add(k.dim(2) - q.dim(2)).insertAxis(-1);
        Tensor visible = causal ? key.le(position) : null;
        if (window > 0) {
            visible = both(visible, key.gt(position.sub(window)).or(key.lt(prefix)));
        }
        return mask == null ? visible : both(visible, mask.reshape(mask.dim(0), 1, 1, 1, mask.dim(1)));
    }

    private static Tensor both(Tensor a, Tensor b) {
        return a == null ? b : a.and(b);
    }

    static long group(Tensor q, Tensor k) {
        return q.dim(1) / Math.max(1, k.dim(1));
    }

    /** Rows of the query heads that share a key head, one behind the other: {@code [B, Hkv, G * Tq, *]}. */
    static Tensor grouped(Tensor x, Tensor k) {
        Shape front = x.shape().drop(-1);
        long rows = k.dim(0) * k.dim(1) == 0 ? 0 : front.elements() / (k.dim(0) * k.dim(1));
        return x.reshape(k.dim(0), k.dim(1), rows, x.shape().last());
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        boolean masked = b.inputs() > 3;
        List<Tensor> in = new ArrayList<>(List.of(b.in(0), b.in(1), b.in(2), b.out(0), b.out(1), b.g(0), b.g(1)));
        if (masked) {
            in.add(b.in(3));
        }
        List<Tensor> slopes = new ArrayList<>(new AttentionGrad(this).applyAll(in.toArray(Tensor[]::new)));
        if (masked) {
            slopes.add(b.none());
        }
        return slopes;
    }

    public static List<Sample> samples() {
        Shape q = Shape.of(2, 4, 5, 6);
        Shape k = Shape.of(2, 2, 7, 6);
        Shape v = Shape.of(2, 2, 7, 3);
        return List.of(
                Sample.of(FULL, q, k, v),
                Sample.of(CAUSAL, q, k, v),
                Sample.of(CAUSAL.window(3, 1).softcap(1.5), q, k, v),
                Sample.of(FULL.scale(0.3).window(2, 0), q, k, v),
                Sample.of(CAUSAL, q, k, v, Shape.of(2, 7)).bools(3),
                Sample.of(CAUSAL, Shape.of(1, 1, 7, 2), Shape.of(1, 1, 4, 2), Shape.of(1, 1, 4, 2)),
                Sample.of(CAUSAL, Shape.of(1, 1, 1, 1), Shape.of(1, 1, 1, 1), Shape.of(1, 1, 1, 1)),
                Sample.of(CAUSAL, Shape.of(1, 2, 70, 40), Shape.of(1, 1, 70, 40), Shape.of(1, 1, 70, 33)),
                Sample.of(CAUSAL.window(20, 4), Shape.of(1, 1, 130, 16), Shape.of(1, 1, 130, 16), Shape.of(1, 1, 130, 80)));
    }
}
