package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecayChunk.headed;

import dev.gatun.engine.Args;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Cumulative;
import dev.gatun.ops.sequence.DecayChunk.Fading;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients of {@link DecayChunk} with respect to q, k, v, the log decays, the state before and the weights, if there are any, from those
 * inputs and the gradients of its two outputs. With {@code dS} the gradient of the state, from the last step to the first,
 *
 * <pre>
 * dS += scale q_t dy_tᵀ      dq_t = scale S_t dy_t      dk_t = w_t dS v_t      dv_t = w_t dSᵀ k_t      dw_t = k_tᵀ dS v_t
 * dg_t = sum of exp(g_t) S_{t-1} dS over the numbers that g_t fades      dS = exp(g_t) dS
 * </pre>
 *
 * Only states between chunks are kept, in memory that grows with the number of chunks.
 */
public record DecayChunkGrad(DecayChunk of) implements Composed {

    private static final long CHUNK = 64;
    private static final long CHANNEL_CHUNK = 16;

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> takes(a) && DecayForms.answers()).strided(), plain().when(DecayChunkGrad::takes).strided(),
            fast().when(a -> usual(a) && DecayForms.answers()), plain().when(DecayChunkGrad::usual));

    private static Kernel fast() {
        return gathered(Kernel.vector(DecayTiles::items,
                (a, from, to) -> backward(a, from, to, DecayForms.WARM.fast())).warmsItself());
    }

    private static Kernel plain() {
        return gathered(Kernel.scalar(DecayTiles::items,
                (a, from, to) -> backward(a, from, to, DecayForms.PLAIN)));
    }

    private static Kernel gathered(Kernel heads) {
        return heads.costing(a -> DecayTiles.nanos(a, 25_000))
                .then(DecayTiles::gatherItems, DecayTiles::gather).costing(DecayTiles::gatherNanos).workspace(DecayChunkGrad::workspace);
    }

    private static void backward(Args a, long from, long to, DecayForms forms) {
        if (a.shape(3).rank() == 3) {
            DecayTiles.backward(a, from, to, forms);
        } else {
            ChannelTiles.backward(a, from, to, forms);
        }
    }

    private static boolean usual(Args a) {
        return a.isF32() && (a.shape(3).rank() == 3 || a.shape(0).dim(1) == a.shape(2).dim(1) && a.inputs() == 7);
    }

    private static long workspace(Args a) {
        return a.shape(3).rank() == 3 ? DecayTiles.workspace(a) : ChannelTiles.workspace(a);
    }

    private static boolean takes(Args a) {
        return usual(a) && DecayChunk.neighbours(a, 0, 1, 2, 3, 5) && a.contiguous(4) && a.contiguous(6);
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "logDecay", "state", "dy", "dstate", "weight");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Spec[] forward = Arrays.copyOf(in, in.length > 7 ? 6 : 5);
        if (in.length > 7) {
            forward[5] = in[7];
        }
        List<Spec> out = of.infer(forward);
        out.get(0).require("dy", in[5]);
        out.get(1).require("dstate", in[6]);
        return List.of(forward);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor q = headed(in[0], in[2]);
        Tensor k = headed(in[1], in[2]);
        Tensor w = in.length > 7 ? in[7].insertAxis(-1) : null;
        Tensor v = w == null ? in[2] : in[2].mul(w);
        Tensor dy = in[5].mul(of.scaleFor(q.dim(3)));
        boolean channels = in[3].shape().rank() == 4;
        long chunk = channels ? CHANNEL_CHUNK : CHUNK;
        long time = q.dim(2);
        int count = (int) Math.ceilDiv(time, chunk);
        List<Tensor> states = new ArrayList<>(List.of(in[4]));
        List<Fading> fadings = new ArrayList<>();
        for (long t = 0; t < time; t += chunk) {
            long end = Math.min(t + chunk, time);
            Fading fading = Fading.of(in[3].slice(2, t, end), channels);
            fadings.add(fading);
            Tensor written = k.slice(2, t, end).mul(fading.until()).transpose().matmul(v.slice(2, t, end));
            states.add(fading.whole().mul(states.getLast()).add(written));
        }
        Tensor slope = in[6];
        Tensor[][] parts = new Tensor[4][count];
        for (int c = count - 1; c >= 0; c--) {
            long t = c * chunk;
            Chunk one = new Chunk(fadings.get(c), part(q, t, chunk), part(k, t, chunk), part(v, t, chunk), part(dy, t, chunk),
                    states.get(c), slope);
            List<Tensor> slopes = one.slopes();
            for (int i = 0; i < 4; i++) {
                parts[i][c] = slopes.get(i);
            }
            slope = one.before();
        }
        Tensor dv = joined(parts[2], in[2]);
        List<Tensor> all = new ArrayList<>(List.of(summed(joined(parts[0], q), in[0]), summed(joined(parts[1], k), in[1]),
                w == null ? dv : dv.mul(w), joined(parts[3], in[3]), slope));
        if (w != null) {
            all.add(dv.mul(in[2]).sum(-1).dropAxis(-1));
        }
        return all;
    }

    private static Tensor part(Tensor x, long t, long chunk) {
        return x.slice(2, t, Math.min(t + chunk, x.dim(2)));
    }

    private static Tensor joined(Tensor[] parts, Tensor like) {
        return parts.length == 0 ? like.mul(0) : Tensor.concat(2, Arrays.asList(parts));
    }

    /** The sum over heads that share queries or keys. */
    private static Tensor summed(Tensor x, Tensor like) {
        if (x.dim(1) == like.dim(1)) {
            return x;
        }
        Shape shape = like.shape();
        return x.reshape(shape.dim(0), shape.dim(1), x.dim(1) / shape.dim(1), shape.dim(2), shape.dim(3)).sum(2).dropAxis(2);
    }

    /** Sums over {@code i < j <= t} of a tile {@code [t, i]} for each decay j: what it lies between. */
    static Tensor crossing(Tensor tile) {
        return new Cumulative(-2, true).apply(tile.lowerTriangle(-1)).lowerTriangle(-1).sum(-1);
    }

    /**
     * The gradient of log decays from what is read across each, what each step reads of the state before, what is left at the end of each step's writing,
     * and what is left of the state before. Only what fades is summed: what does not would drown it.
     */
    static Tensor fades(Tensor crossing, Tensor read, Tensor ended, Tensor before) {
        Tensor none = ended.slice(2, 0, 1).mul(0);
        Tensor earlier = Tensor.concat(2, List.of(none, ended.slice(2, 0, ended.dim(2) - 1))).cumsum(2);
        return new Cumulative(2, true).apply(read).add(crossing).add(earlier).add(before);
    }

    /** One chunk: what came in, the state before it, and the gradient of the state after. */
    private record Chunk(Fading fading, Tensor q, Tensor k, Tensor v, Tensor dy, Tensor state, Tensor slope) {

        /** dq, dk, dv and dg. */
        List<Tensor> slopes() {
            Tensor dScores = dy.matmul(v.transpose());
            Tensor read = dy.matmul(state.transpose()).mul(fading.since());
            Tensor left = v.matmul(slope.transpose()).mul(fading.until());
            Tensor scores = fading.scores(q, k);
            Tensor dv = k.mul(fading.until()).matmul(slope).add(scores.transpose().matmul(dy));
            Tensor before = fading.whole().mul(state).mul(slope).sum(-1).transpose();
            Tensor ended = k.mul(left);
            if (fading.channels()) {
                Tensor faded = dScores.insertAxis(2).mul(fading.between());
                Tensor between = faded.mul(q.transpose().insertAxis(-1)).mul(k.transpose().insertAxis(-2));
                Tensor crossing = crossing(between).dropAxis(-1).transpose();
                return List.of(
                        read.add(faded.matmul(k.transpose().insertAxis(-1)).dropAxis(-1).transpose()),
                        left.add(faded.transpose().matmul(q.transpose().insertAxis(-1)).dropAxis(-1).transpose()),
                        dv, fades(crossing, q.mul(read), ended, before));
            }
            Tensor faded = dScores.mul(fading.between());
            Tensor crossing = crossing(dScores.mul(scores));
            return List.of(read.add(faded.matmul(k)), left.add(faded.transpose().matmul(q)), dv,
                    fades(crossing, q.mul(read).sum(-1), ended.sum(-1), before.sum(-1)).dropAxis(-1));
        }

        /** The gradient of the state before. */
        Tensor before() {
            return fading.whole().mul(slope).add(q.mul(fading.since()).transpose().matmul(dy));
        }
    }

    public static List<Sample> samples() {
        return DecayChunk.samples().stream().map(DecayChunkGrad::sample).toList();
    }

    private static Sample sample(Sample forward) {
        List<Shape> in = forward.inputs().stream().map(Sample.Input::shape).toList();
        DecayChunkGrad op = new DecayChunkGrad((DecayChunk) forward.op());
        List<Shape> all = new ArrayList<>(in.subList(0, 5));
        all.add(in.get(2));
        all.add(in.get(4));
        if (in.size() > 5) {
            all.add(in.get(5));
        }
        return Sample.of(op, all.toArray(Shape[]::new)).range(3, -1.5, 0);
    }
}
