package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.ViewOp;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/** Other ways to look at the same numbers. Nothing is copied but by a reshape that no strides can say. */
public final class Views {

    private Views() {}

    /** {@code x} with other sizes and the same elements row by row; one size may be -1 and is worked out. */
    public static Tensor reshape(Tensor x, long... dims) {
        long known = 1;
        int open = -1;
        for (int axis = 0; axis < dims.length; axis++) {
            if (dims[axis] == -1 && open < 0) {
                open = axis;
            } else {
                known *= dims[axis];
            }
        }
        long[] sizes = dims.clone();
        if (open >= 0) {
            if (known == 0 || x.shape().elements() % known != 0) {
                throw new ShapeException("reshape: " + x.shape().elements() + " elements do not divide by " + known
                        + ", the product of the other sizes of " + Arrays.toString(dims) + "\n  x: " + x.describe());
            }
            sizes[open] = x.shape().elements() / known;
        }
        Shape shape = Shape.of(sizes);
        boolean lieWell = x.isContiguous() || shape.elements() != x.shape().elements()
                || Reshape.strides(x.shape(), x.strides(), shape) != null;
        return new Reshape(shape).apply(lieWell ? x : x.contiguous());
    }

    /** {@code x} with two axes exchanged. */
    public static Tensor swap(Tensor x, int a, int b) {
        int[] axes = new int[x.shape().rank()];
        for (int axis = 0; axis < axes.length; axis++) {
            axes[axis] = axis;
        }
        int first = x.axis("swap", a);
        int second = x.axis("swap", b);
        if (first == second) {
            return x;
        }
        axes[first] = second;
        axes[second] = first;
        return new Permute(axes).apply(x);
    }

    /** {@code x} repeated along axes of size one, and along new axes in front, to fill a shape. */
    public static Tensor expand(Tensor x, Shape shape) {
        return x.shape().equals(shape) ? x : new Expand(shape).apply(x);
    }

    /** {@code x} with a further axis of size one, which then stands at {@code axis}. */
    public static Tensor insertAxis(Tensor x, int axis) {
        if (axis < -x.shape().rank() - 1 || axis > x.shape().rank()) {
            throw new ShapeException("insertAxis: no place " + axis + " for a further axis among " + x.shape().rank() + "\n  x: " + x.describe());
        }
        return reshape(x, x.shape().insert(axis, 1).dims());
    }

    /** {@code x} without an axis of size one. */
    public static Tensor dropAxis(Tensor x, int axis) {
        x.axis("dropAxis", axis);
        if (x.dim(axis) != 1) {
            throw new ShapeException("dropAxis: axis " + axis + " has size " + x.dim(axis) + ", not 1\n  x: " + x.describe());
        }
        return reshape(x, x.shape().drop(axis).dims());
    }

    /** The same elements row by row in another shape, for inputs whose strides can say it. */
    public record Reshape(Shape shape) implements ViewOp {
        @Override
        public List<Spec> infer(Spec... in) {
            if (shape.elements() != in[0].shape().elements()) {
                throw new ShapeException(in[0].shape().elements() + " elements do not fill " + shape
                        + ", which has " + shape.elements());
            }
            return List.of(in[0].with(shape));
        }

        @Override
        public Layout view(Shape from, Layout in) {
            long[] strides = strides(from, in.strides(), shape);
            if (strides == null) {
                throw new ShapeException("reshape: the strides " + Arrays.toString(in.strides()) + " of " + from
                        + " cannot be those of " + shape + "; make it contiguous first");
            }
            return new Layout(strides, in.offset());
        }

        /**
         * Strides that show elements of one shape in another, or null when there are none. Runs of axes
         * with the same product are matched; inside a run of the old shape, strides must nest.
         */
        static long[] strides(Shape from, long[] strides, Shape to) {
            long[] result = to.contiguousStrides();
            if (to.elements() == 0) {
                return result;
            }
            int f = 0;
            int t = 0;
            while (f < from.rank() && t < to.rank()) {
                int fEnd = f + 1;
                int tEnd = t + 1;
                long fProduct = from.dim(f);
                long tProduct = to.dim(t);
                while (fProduct != tProduct) {
                    if (fProduct < tProduct) {
                        fProduct *= from.dim(fEnd++);
                    } else {
                        tProduct *= to.dim(tEnd++);
                    }
                }
                long inner = 0; // stride of the innermost axis of the run that is longer than one
                long expected = -1;
                for (int axis = fEnd - 1; axis >= f; axis--) {
                    if (from.dim(axis) == 1) {
                        continue;
                    }
                    if (expected < 0) { // strides are not negative; a repeated axis has 0
                        inner = strides[axis];
                        expected = inner * from.dim(axis);
                    } else if (strides[axis] != expected) {
                        return null;
                    } else {
                        expected *= from.dim(axis);
                    }
                }
                long step = inner;
                for (int axis = tEnd - 1; axis >= t; axis--) {
                    result[axis] = step;
                    step *= to.dim(axis);
                }
                f = fEnd;
                t = tEnd;
            }
            return result;
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().reshape(b.in(0).shape()));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Reshape(Shape.of(5, 6)), Shape.of(2, 3, 5)), Sample.of(new Reshape(Shape.of()), Shape.of(1, 1)));
        }
    }

    /** Axes in another order: axis i of the result is axis {@code axes[i]} of the input. */
    public record Permute(List<Integer> axes) implements ViewOp {

        public Permute(int... axes) {
            this(Arrays.stream(axes).boxed().toList());
        }

        @Override
        public List<Spec> infer(Spec... in) {
            if (axes.size() != in[0].shape().rank() || axes.stream().distinct().count() != axes.size()) {
                throw new ShapeException("the order " + axes + " does not name each of " + in[0].shape().rank() + " axes once");
            }
            return List.of(in[0].with(Shape.of(axes.stream().mapToLong(in[0].shape()::dim).toArray())));
        }

        @Override
        public Layout view(Shape shape, Layout in) {
            return new Layout(axes.stream().mapToLong(axis -> in.strides()[shape.axis(axis)]).toArray(), in.offset());
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            int[] back = new int[axes.size()];
            for (int i = 0; i < back.length; i++) {
                back[b.in(0).shape().axis(axes.get(i))] = i;
            }
            return List.of(b.g().permute(back));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Permute(2, 0, 1), Shape.of(2, 3, 5)), Sample.of(new Permute(1, 0), Shape.of(4, 7)));
        }
    }

    /** Repeats axes of size one, and new axes in front, with a stride of zero. */
    public record Expand(Shape shape) implements ViewOp {
        @Override
        public List<Spec> infer(Spec... in) {
            if (!in[0].shape().repeatsTo(shape)) {
                throw new ShapeException(in[0].shape() + " does not repeat to " + shape);
            }
            return List.of(in[0].with(shape));
        }

        @Override
        public Layout view(Shape from, Layout in) {
            long[] strides = new long[shape.rank()];
            int added = shape.rank() - from.rank();
            for (int axis = 0; axis < from.rank(); axis++) {
                strides[axis + added] = from.dim(axis) == 1 ? 0 : in.strides()[axis];
            }
            return new Layout(strides, in.offset());
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().sumTo(b.in(0).shape()));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Expand(Shape.of(4, 3, 5)), Shape.of(3, 1)), Sample.of(new Expand(Shape.of(2, 2)), Shape.of()));
        }
    }

    /** Elements {@code from, from + step, …} below {@code to} of an axis. */
    public record Slice(int axis, long from, long to, long step) implements ViewOp {
        @Override
        public List<Spec> infer(Spec... in) {
            long size = in[0].shape().dim(axis);
            if (from < 0 || to < from || to > size || step < 1) {
                throw new ShapeException(from + ".." + to + " with step " + step + " of axis " + axis + ", which has size " + size);
            }
            return List.of(in[0].with(in[0].shape().with(axis, Math.ceilDiv(to - from, step))));
        }

        @Override
        public Layout view(Shape shape, Layout in) {
            long[] strides = in.strides().clone();
            int at = shape.axis(axis);
            // An empty view starts where its tensor does: its first element would lie beyond the block.
            long offset = in.offset() + (to > from && shape.elements() > 0 ? from * strides[at] : 0);
            strides[at] *= step;
            return new Layout(strides, offset);
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(new Place(axis, from, step, b.in(0).shape().dim(axis)).apply(b.g()));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Slice(1, 1, 4, 1), Shape.of(3, 5, 2)), Sample.of(new Slice(0, 0, 7, 3), Shape.of(7, 2)),
                    Sample.of(new Slice(-1, 2, 2, 1), Shape.of(3, 5)));
        }
    }

    /** Zeros of {@code size} along an axis with {@code x} at {@code from, from + step, …}: the adjoint of a slice. */
    public record Place(int axis, long from, long step, long size) implements Op {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.reference(a -> Runs.of(a.shape(0), a.op(Place.class).axis).outer() * a.op(Place.class).size, Place::lines),
                AlgebraLaunch.of(AlgebraLaunch::place));

        @Override
        public List<Spec> infer(Spec... in) {
            long count = in[0].shape().dim(axis);
            if (from < 0 || step < 1 || count > 0 && from + (count - 1) * step >= size) {
                throw new ShapeException(count + " elements from " + from + " with step " + step + " do not fit into " + size);
            }
            return List.of(in[0].with(in[0].shape().with(axis, size)));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public boolean takesStorageTypes() {
            return true;
        }

        /** Items are positions on the axis; each moves, or clears, one run of the axes behind it. */
        static void lines(Args a, long from, long to) {
            Place op = a.op(Place.class);
            Runs x = Runs.of(a.shape(0), op.axis);
            long bytes = x.inner() * a.dtype(0).bytes();
            for (long item = from; item < to; item++) {
                long outer = item / op.size;
                long at = item % op.size - op.from;
                boolean taken = at >= 0 && at % op.step == 0 && at / op.step < x.size();
                if (taken) {
                    MemorySegment.copy(a.in(0), (outer * x.size() + at / op.step) * bytes, a.out(), item * bytes, bytes);
                } else {
                    a.out().asSlice(item * bytes, bytes).fill((byte) 0);
                }
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().slice(axis, from, Math.min(size, from + b.in(0).shape().dim(axis) * step), step));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Place(1, 1, 1, 5), Shape.of(3, 3, 2)), Sample.of(new Place(0, 0, 3, 7), Shape.of(3, 2)),
                    Sample.of(new Place(-1, 2, 2, 9), Shape.of(3, 2)));
        }
    }
}
