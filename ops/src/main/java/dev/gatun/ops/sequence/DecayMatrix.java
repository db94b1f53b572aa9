package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Cumulative;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * {@code y[t, i] = exp(x[i+1] + … + x[t])} for {@code i <= t}, else 0: what is left at time t of something
 * written at time i when x are logarithms of decays, [..., T] to [..., T, T]. Each exponent is a sum
 * of its own, never a difference or a quotient of running products, so that a decay of 0 is fine.
 */
public record DecayMatrix() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(DecayMatrix::matrices, (a, from, to) -> matricesF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(DecayMatrix::matrices, (a, from, to) -> matricesF32(a, from, to, RowSteps.plain())),
            Kernel.reference(a -> a.shape(0).elements(), DecayMatrix::rows),
            ScansLaunch.DECAY_MATRIX);

    /** What is left at each time of what was written at each earlier one. */
    public static Tensor decayMatrix(Tensor logDecay) {
        return new DecayMatrix().apply(logDecay);
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        if (in[0].shape().rank() == 0) {
            throw new ShapeException("a time axis is needed, there is none");
        }
        return List.of(in[0].with(in[0].shape().insert(-1, in[0].shape().last())));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** One item is one row of the result: its time, looking back. */
    static void rows(Args a, long from, long to) {
        long time = a.shape(0).last();
        for (long row = from; row < to; row++) {
            double sum = 0;
            for (long i = time - 1; i >= 0; i--) {
                if (i > row % time) {
                    a.set(0, row * time + i, 0);
                } else {
                    a.set(0, row * time + i, Math.exp(sum));
                    sum += a.get(0, row / time * time + i);
                }
            }
        }
    }

    private static long matrices(Args a) {
        return a.rows();
    }

    /** One item is one matrix: each row's exponents are those of the row above, plus its own step. */
    private static void matricesF32(Args a, long from, long to, RowSteps steps) {
        int time = (int) a.shape(0).last();
        MemorySegment exponents = a.scratch(time * 4L);
        for (long matrix = from; matrix < to; matrix++) {
            for (int t = 0; t < time; t++) {
                long row = (matrix * time + t) * time * 4;
                float step = a.in(0).get(ValueLayout.JAVA_FLOAT_UNALIGNED, (matrix * time + t) * 4);
                steps.affine(exponents, 0, 1, step, exponents, 0, t);
                exponents.set(ValueLayout.JAVA_FLOAT_UNALIGNED, t * 4L, 0);
                steps.exp(exponents, 0, 0, 1, 0, a.out(), row, t + 1);
                a.out().asSlice(row + (t + 1) * 4L, (time - t - 1) * 4L).fill((byte) 0);
            }
        }
    }

    // dx[j] is the sum over t >= j and i < j of g y: columns summed from below, then rows left of the diagonal.
    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor below = new Cumulative(-2, true).apply(b.g().mul(b.out()));
        return List.of(below.lowerTriangle(-1).sum(-1).dropAxis(-1));
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new DecayMatrix(), Shape.of(2, 9)).range(0, -2, 0),
                Sample.of(new DecayMatrix(), Shape.of(1)).range(0, -2, 0),
                Sample.of(new DecayMatrix(), Shape.of(2, 3, 33)).range(0, -0.5, 0));
    }
}
