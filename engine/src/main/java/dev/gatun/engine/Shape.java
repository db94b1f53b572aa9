package dev.gatun.engine;

import java.util.Arrays;

/** Sizes of the axes of a tensor, outermost first. A value: two shapes of equal sizes are equal. */
public final class Shape {

    private static final Shape SCALAR = new Shape(new long[0]);

    private final long[] dims;
    private final long elements;

    private Shape(long[] dims) {
        this.dims = dims;
        long product = 1;
        for (long dim : dims) {
            if (dim < 0) {
                throw new ShapeException("negative size in " + Arrays.toString(dims));
            }
            try {
                product = Math.multiplyExact(product, dim);
            } catch (ArithmeticException e) {
                throw new ShapeException("too many elements for a long in " + Arrays.toString(dims));
            }
        }
        this.elements = product;
    }

    /** The shape with these sizes; none of them makes the shape of a single number. */
    public static Shape of(long... dims) {
        return dims.length == 0 ? SCALAR : new Shape(dims.clone());
    }

    /** Number of axes. */
    public int rank() {
        return dims.length;
    }

    /** Size of an axis; negative axes count from the end. */
    public long dim(int axis) {
        return dims[axis(axis)];
    }

    /** Size of the last axis, 1 for a single number. */
    public long last() {
        return dims.length == 0 ? 1 : dims[dims.length - 1];
    }

    /** All sizes, a copy. */
    public long[] dims() {
        return dims.clone();
    }

    /** Product of all sizes. */
    public long elements() {
        return elements;
    }

    /** The axis counted from the front; {@code -1} is the last one. */
    public int axis(int axis) {
        int fromFront = axis < 0 ? axis + dims.length : axis;
        if (fromFront < 0 || fromFront >= dims.length) {
            throw new ShapeException("axis " + axis + " of a shape with " + dims.length + " axes, " + this);
        }
        return fromFront;
    }

    /** This shape with the size of one axis changed. */
    public Shape with(int axis, long dim) {
        long[] changed = dims.clone();
        changed[axis(axis)] = dim;
        return new Shape(changed);
    }

    /** This shape with a further axis, which then stands at {@code axis}; {@code -1} appends. */
    public Shape insert(int axis, long dim) {
        int at = axis < 0 ? axis + dims.length + 1 : axis;
        if (at < 0 || at > dims.length) {
            throw new ShapeException("no place " + axis + " for a further axis in " + this);
        }
        long[] longer = new long[dims.length + 1];
        System.arraycopy(dims, 0, longer, 0, at);
        longer[at] = dim;
        System.arraycopy(dims, at, longer, at + 1, dims.length - at);
        return new Shape(longer);
    }

    /** This shape without one axis. */
    public Shape drop(int axis) {
        int at = axis(axis);
        long[] shorter = new long[dims.length - 1];
        System.arraycopy(dims, 0, shorter, 0, at);
        System.arraycopy(dims, at + 1, shorter, at, dims.length - 1 - at);
        return of(shorter);
    }

    /** Strides in elements of a tensor that lies row by row without gaps. */
    public long[] contiguousStrides() {
        long[] strides = new long[dims.length];
        long step = 1;
        for (int axis = dims.length - 1; axis >= 0; axis--) {
            strides[axis] = step;
            step *= dims[axis];
        }
        return strides;
    }

    /**
     * The shape that both repeat to: axes are matched from the right, and a size of one repeats.
     *
     * @throws ShapeException when two sizes differ and neither is one
     */
    public Shape broadcast(Shape other) {
        if (equals(other)) {
            return this;
        }
        int rank = Math.max(rank(), other.rank());
        long[] joined = new long[rank];
        for (int fromEnd = 1; fromEnd <= rank; fromEnd++) {
            long a = fromEnd > rank() ? 1 : dims[rank() - fromEnd];
            long b = fromEnd > other.rank() ? 1 : other.dims[other.rank() - fromEnd];
            if (a != b && a != 1 && b != 1) {
                throw new ShapeException("sizes do not broadcast: " + a + " against " + b + " on axis -" + fromEnd);
            }
            joined[rank - fromEnd] = a == 1 ? b : a;
        }
        return new Shape(joined);
    }

    /** Whether this shape fills another by repeating axes of size one, and new axes in front. */
    public boolean repeatsTo(Shape other) {
        if (rank() > other.rank()) {
            return false;
        }
        for (int axis = -1; axis >= -rank(); axis--) {
            if (dim(axis) != 1 && dim(axis) != other.dim(axis)) {
                return false;
            }
        }
        return true;
    }

    @Override
    public boolean equals(Object other) {
        return this == other || other instanceof Shape s && Arrays.equals(dims, s.dims);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims);
    }

    @Override
    public String toString() {
        return Arrays.toString(dims);
    }
}
