package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients dq, dk and dv of {@link Attention} from q, k, v, its outputs o and lse, their gradients g and glse, and the mask
 * of keys if there was one. With {@code P_ij = exp(s_ij - lse_i)} and {@code delta_i = <g_i, o_i> - glse_i}:
 *
 * <pre>
 * dv_j = sum over i of P_ij g_i         dS_ij = P_ij (<g_i, v_j> - delta_i)     times 1 - (s_ij / c)² under a cap
 * dq_i = scale * sum over j of dS_ij k_j             dk_j = scale * sum over i of dS_ij q_i
 * </pre>
 *
 * Scores are computed again, nothing as large as they are is stored.
 */
public record AttentionGrad(Attention of) implements Composed {

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> dense(a) && AttentionForms.answers()).strided(), plain().when(AttentionGrad::dense).strided(),
            fast().when(a -> a.isF32() && AttentionForms.answers()), plain(),
            Kernel.reference(AttentionGrad::queries, AttentionGrad::queryRows).then(AttentionGrad::keyHeads, AttentionGrad::heads),
            AttentionLaunch.backward(true), AttentionLaunch.backward(false));

    private static Kernel fast() {
        return summed(Kernel.vector(AttentionTiles::backwardItems,
                (a, from, to) -> AttentionTiles.backward(a, from, to, AttentionForms.WARM.fast()))).warmsItself();
    }

    private static Kernel plain() {
        return summed(Kernel.scalar(AttentionTiles::backwardItems,
                (a, from, to) -> AttentionTiles.backward(a, from, to, AttentionPlain.STEPS)));
    }

    /** With the shares of dk and dv added up at the end. */
    private static Kernel summed(Kernel tiles) {
        return tiles.costing(AttentionTiles::backwardNanos)
                .then(AttentionTiles::gatherItems, AttentionTiles::gather).costing(AttentionTiles::gatherNanos)
                .workspace(AttentionTiles::backwardWorkspace);
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "o", "lse", "g", "glse", "mask");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Spec[] forward = in.length > 7 ? new Spec[] {in[0], in[1], in[2], in[7]} : Arrays.copyOf(in, 3);
        List<Spec> out = of.infer(forward);
        for (int i = 3; i < 7; i++) {
            if (!in[i].equals(out.get((i - 3) % 2))) {
                throw new ShapeException(arguments().get(i) + " must be " + out.get((i - 3) % 2) + ", is " + in[i]);
            }
        }
        return List.of(in[0], in[1], in[2]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    private static boolean dense(Args a) {
        return a.isF32() && AttentionTiles.takes(a, 0, 1, 2, 3, 5) && a.contiguous(4) && a.contiguous(6)
                && (a.inputs() < 8 || a.contiguous(7));
    }

    private static long queries(Args a) {
        return a.shape(4).elements();
    }

    private static long keyHeads(Args a) {
        return a.shape(1).dim(0) * a.shape(1).dim(1);
    }

    /** dq, one query at a time. */
    static void queryRows(Args a, long from, long to) {
        Attention op = a.op(AttentionGrad.class).of;
        long heads = a.shape(0).dim(1);
        long queries = a.shape(0).dim(2);
        long keys = a.shape(1).dim(2);
        long width = a.shape(0).last();
        long group = heads / Math.max(1, a.shape(1).dim(1));
        for (long row = from; row < to; row++) {
            long keyHead = row / queries / group;
            double[] s = op.scores(a, row, keyHead, row / queries / heads, a.inputs() > 7 ? 7 : -1);
            double[] slopes = slopes(a, op, s, row, keyHead);
            for (long d = 0; d < width; d++) {
                double sum = 0;
                for (int j = 0; j < keys; j++) {
                    sum += slopes[j] * a.get(1, (keyHead * keys + j) * width + d);
                }
                a.set(0, row * width + d, sum * op.scaleFor(width));
            }
        }
    }

    /** dk and dv, one key head at a time. */
    static void heads(Args a, long from, long to) {
        Attention op = a.op(AttentionGrad.class).of;
        long heads = a.shape(0).dim(1);
        long queries = a.shape(0).dim(2);
        long keys = a.shape(1).dim(2);
        int keyWidth = (int) a.shape(1).last();
        int width = (int) a.shape(2).last();
        long group = heads / Math.max(1, a.shape(1).dim(1));
        for (long keyHead = from; keyHead < to; keyHead++) {
            double[] dk = new double[Math.toIntExact(keys * keyWidth)];
            double[] dv = new double[Math.toIntExact(keys * width)];
            for (long row = keyHead * group * queries; row < (keyHead + 1) * group * queries; row++) {
                double[] s = op.scores(a, row, keyHead, row / queries / heads, a.inputs() > 7 ? 7 : -1);
                double[] slopes = slopes(a, op, s, row, keyHead);
                for (int j = 0; j < keys; j++) {
                    double p = s[j] == Double.NEGATIVE_INFINITY ? 0 : Math.exp(s[j] - a.get(4, row));
                    for (int d = 0; d < width; d++) {
                        dv[j * width + d] += p * a.get(5, row * width + d);
                    }
                    for (int d = 0; d < keyWidth; d++) {
                        dk[j * keyWidth + d] += slopes[j] * op.scaleFor(keyWidth) * a.get(0, row * keyWidth + d);
                    }
                }
            }
            for (int i = 0; i < dk.length; i++) {
                a.set(1, keyHead * dk.length + i, dk[i]);
            }
            for (int i = 0; i < dv.length; i++) {
                a.set(2, keyHead * dv.length + i, dv[i]);
            }
        }
    }

    /** dS of one query. */
    private static double[] slopes(Args a, Attention op, double[] s, long row, long keyHead) {
        long width = a.shape(2).last();
        double delta = -a.get(6, row);
        for (long d = 0; d < width; d++) {
            delta += a.get(5, row * width + d) * a.get(3, row * width + d);
        }
        double[] slopes = new double[s.length];
        for (int j = 0; j < s.length; j++) {
            if (s[j] != Double.NEGATIVE_INFINITY) {
                double product = 0;
                for (long d = 0; d < width; d++) {
                    product += a.get(5, row * width + d) * a.get(2, (keyHead * s.length + j) * width + d);
                }
                double bend = op.softcap() == 0 ? 0 : s[j] / op.softcap();
                slopes[j] = Math.exp(s[j] - a.get(4, row)) * (product - delta) * (1 - bend * bend);
            }
        }
        return slopes;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor q = in[0];
        Tensor k = in[1];
        Tensor v = in[2];
        Tensor g = Attention.grouped(in[5], k);
        Shape five = Shape.of(k.dim(0), k.dim(1), Attention.group(q, k), q.dim(2), k.dim(2));
        Shape column = five.with(4, 1);

        // Rows that saw nothing have lse = -inf and only scores of -inf: any finite number there keeps slopes finite.
        Tensor zero = Tensor.zeros(q.dtype(), Shape.of());
        Tensor lse = in[4].detach().eq(Double.NEGATIVE_INFINITY).select(zero, in[4]).reshape(column);
        Tensor s = of.scores(q, k, in.length > 7 ? in[7] : null);
        Tensor p = s.sub(lse).exp();
        Tensor delta = in[5].mul(in[3]).sum(-1).reshape(column).sub(in[6].reshape(column));
        Tensor ds = p.mul(g.matmul(v.transpose()).reshape(five).sub(delta));
        if (of.softcap() > 0) {
            Tensor seen = s.detach().eq(Double.NEGATIVE_INFINITY).select(zero, s);
            ds = ds.mul(seen.div(of.softcap()).square().neg().add(1));
        }
        Tensor slopes = Attention.grouped(ds, k).mul(of.scaleFor(q.dim(3)));
        return List.of(
                slopes.matmul(k).reshape(q.shape()),
                slopes.transpose().matmul(Attention.grouped(q, k)),
                Attention.grouped(p, k).transpose().matmul(g));
    }

    public static List<Sample> samples() {
        return Attention.samples().stream().map(AttentionGrad::sample).toList();
    }

    /** The sample of the gradient for a sample of attention. Any numbers may stand for o; lse is large, as true ones are. */
    private static Sample sample(Sample forward) {
        Shape q = forward.inputs().get(0).shape();
        Shape k = forward.inputs().get(1).shape();
        Shape v = forward.inputs().get(2).shape();
        Shape o = q.with(3, v.dim(3));
        AttentionGrad op = new AttentionGrad((Attention) forward.op());
        if (forward.inputs().size() == 3) {
            return Sample.of(op, q, k, v, o, q.drop(3), o, q.drop(3)).range(4, 4, 6);
        }
        return Sample.of(op, q, k, v, o, q.drop(3), o, q.drop(3), forward.inputs().get(3).shape()).range(4, 4, 6).bools(7);
    }
}
