package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;

/** {@code y[t] = x[0] + … + x[t]} along an axis, summed in double; reversed, {@code x[t] + … + x[T - 1]}. */
public record Cumulative(int axis, boolean reverse) implements Op {

    private static final List<Kernel> KERNELS = List.of(Kernel.reference(Cumulative::lines, Cumulative::lines),
            AlgebraLaunch.of(AlgebraLaunch::cumsum, DType.F32, DType.F64));

    @Override
    public String name() {
        return "cumsum";
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        in[0].shape().axis(axis);
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    private static long lines(Args a) {
        Runs x = Runs.of(a.shape(0), a.op(Cumulative.class).axis);
        return x.size() == 0 ? 0 : x.outer() * x.inner();
    }

    /** One item is one line along the axis. */
    static void lines(Args a, long from, long to) {
        Cumulative op = a.op(Cumulative.class);
        Runs x = Runs.of(a.shape(0), op.axis);
        long size = x.size();
        long step = x.inner();
        for (long line = from; line < to; line++) {
            long first = line / step * step * size + line % step;
            double sum = 0;
            for (long t = 0; t < size; t++) {
                long at = first + (op.reverse ? size - 1 - t : t) * step;
                sum += a.get(0, at);
                a.set(0, at, sum);
            }
        }
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(new Cumulative(axis, !reverse).apply(b.g()));
    }

    public static List<Sample> samples() {
        return List.of(Sample.of(new Cumulative(1, false), Shape.of(2, 7, 3)), Sample.of(new Cumulative(0, true), Shape.of(19)),
                Sample.of(new Cumulative(-1, true), Shape.of(3, 4)));
    }
}
