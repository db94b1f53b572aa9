package dev.gatun.engine;

import java.util.List;

/** An op that only looks at the same numbers in another way: new strides, no kernel, no copy. */
public interface ViewOp extends Op {

    /** Where the elements of the view lie: strides and offset in elements, of a tensor with these. */
    record Layout(long[] strides, long offset) {}

    /** The layout of the view of a tensor of this shape and layout. */
    Layout view(Shape shape, Layout in);

    @Override
    default List<Kernel> kernels() {
        return List.of();
    }

    @Override
    default boolean takesStorageTypes() {
        return true;
    }
}
