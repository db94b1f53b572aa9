package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.Arrays;
import java.util.List;

/** Many numbers to one, along axes that stay with size one. */
public final class Reductions {

    private Reductions() {}

    /** Sum over some axes, or over everything to a single number. */
    public static Tensor sum(Tensor x, int... axes) {
        if (axes.length == 0) {
            return new Sum(0, x.shape().rank()).apply(x).reshape();
        }
        int[] sorted = Arrays.stream(axes).map(axis -> x.axis("sum", axis)).distinct().sorted().toArray();
        Tensor y = x;
        // Neighbouring axes are one run; the last run goes first, while inner axes are longest.
        for (int last = sorted.length - 1; last >= 0; ) {
            int first = last;
            while (first > 0 && sorted[first - 1] == sorted[first] - 1) {
                first--;
            }
            y = new Sum(sorted[first], sorted[last] + 1).apply(y);
            last = first - 1;
        }
        return y;
    }

    /** Arithmetic mean over some axes, or over everything. */
    public static Tensor mean(Tensor x, int... axes) {
        Tensor sum = sum(x, axes);
        return sum.mul((double) Math.max(1, sum.shape().elements()) / Math.max(1, x.shape().elements()));
    }

    /** Sum over the axes along which a shape was repeated to get this one. */
    public static Tensor sumTo(Tensor x, Shape shape) {
        if (x.shape().equals(shape)) {
            return x;
        }
        if (!shape.repeatsTo(x.shape())) {
            throw new ShapeException("sumTo: " + shape + " does not repeat to " + x.shape() + "\n  x: " + x.describe());
        }
        int added = x.shape().rank() - shape.rank();
        int[] axes = new int[x.shape().rank()];
        int count = 0;
        for (int axis = 0; axis < axes.length; axis++) {
            if (axis < added || shape.dim(axis - added) == 1 && x.dim(axis) != 1) {
                axes[count++] = axis;
            }
        }
        Tensor sum = count == 0 ? x : sum(x, Arrays.copyOf(axes, count));
        return sum.reshape(shape);
    }

    static void requireNumbers(Spec x) {
        if (x.dtype() == DType.BOOL) {
            throw new DTypeException("numbers are needed, not bool");
        }
    }

    /** Index (I64) of the first largest number along an axis; a NaN counts as largest. */
    public record ArgMax(int axis) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::elements, ArgMax::elements),
                AlgebraLaunch.of(AlgebraLaunch::argmax, DType.F32, DType.F64, DType.I32, DType.I64));

        @Override
        public String name() {
            return "argmax";
        }

        @Override
        public List<Spec> infer(Spec... in) {
            return largest(in[0], axis, DType.I64);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            int axis = a.op(ArgMax.class).axis;
            Runs x = Runs.of(a.shape(0), axis);
            for (long i = from; i < to; i++) {
                long at = i / x.inner() * x.size() * x.inner() + i % x.inner();
                double max = a.get(0, at);
                long index = 0;
                for (long j = 1; j < x.size() && max == max; j++) {
                    double value = a.get(0, at + j * x.inner());
                    if (value > max || value != value) {
                        max = value;
                        index = j;
                    }
                }
                a.setLong(0, i, index);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.none());
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new ArgMax(1), Shape.of(3, 40)), Sample.of(new ArgMax(0), Shape.of(5, 3)));
        }
    }

    static List<Spec> largest(Spec x, int axis, DType result) {
        requireNumbers(x);
        if (x.shape().dim(axis) == 0) {
            throw new ShapeException("axis " + axis + " is empty and has no largest number");
        }
        return List.of(new Spec(result, x.shape().with(axis, 1)));
    }
}
