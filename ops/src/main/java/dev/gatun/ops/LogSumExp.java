package dev.gatun.ops;

import static dev.gatun.ops.Softmax.softmax;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** {@code log(sum(exp(x)))} over the last axis, which stays with size one; {@code -inf} when there is nothing to sum. */
public record LogSumExp() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Args::elements, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(Args::elements, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
            Kernel.reference(Args::elements, LogSumExp::rows),
            RowsLaunch.plain("log_sum_exp"));

    /** The logarithm of the sum of exponentials along an axis, which stays with size one. */
    public static Tensor logSumExp(Tensor x, int axis) {
        return Softmax.alongAxis(new LogSumExp(), x, axis);
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        return List.of(in[0].with(in[0].shape().with(-1, 1)));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public boolean mayBeInfinite(int output) {
        return true;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(softmax(b.in(0), -1).mul(b.g()));
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new LogSumExp(), Shape.of(3, 5)),
                Sample.of(new LogSumExp(), Shape.of(1, 1)),
                Sample.of(new LogSumExp(), Shape.of(2, 7, 33)),
                Sample.of(new LogSumExp(), Shape.of(4, 100)).range(0, -30, 30));
    }

    static void rows(Args a, long from, long to) {
        int n = (int) a.shape(0).last();
        for (long row = from; row < to; row++) {
            double max = Softmax.largest(a, row * n, n);
            double sum = 0;
            for (long i = row * n; i < (row + 1) * n; i++) {
                sum += Math.exp(a.get(0, i) - max);
            }
            a.set(0, row, max + Math.log(sum));
        }
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        int n = (int) a.shape(0).last();
        MemorySegment exponentials = a.scratch(n * 4L);
        for (long row = from; row < to; row++) {
            a.out().setAtIndex(ValueLayout.JAVA_FLOAT, row, (float) row(a.in(0), row * n * 4, n, steps, exponentials));
        }
    }

    /** The logarithm of the sum of one row's exponentials, which are left behind. */
    static double row(MemorySegment x, long at, int n, RowSteps steps, MemorySegment exponentials) {
        float max = Softmax.largest(x, at, n, steps);
        return max + Math.log(steps.exp(x, at, max, 1, 0, exponentials, 0, n));
    }
}
