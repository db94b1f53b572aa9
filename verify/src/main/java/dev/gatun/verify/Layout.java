package dev.gatun.verify;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * How the numbers of a tensor may lie in memory. {@link #of} gives a view with the same shape whose
 * gaps are filled with 77, so that a kernel that reads past a stride shows.
 */
public enum Layout {
    /** Row by row, from the start of the block. */
    CONTIGUOUS,
    /** Row by row, but three elements into the block, so that rows are not aligned. */
    OFFSET,
    /** Every second element of the last axis. */
    STRIDED,
    /** Rows apart: the last axis is part of a longer one. */
    PADDED,
    /** The last two axes, exchanged in memory. */
    TRANSPOSED,
    /** All axes, in the opposite order in memory. */
    REVERSED,
    /** The numbers at the first position of the first axis, repeated along it with a stride of zero. */
    REPEATED;

    private static final double GAP = 77;

    /** A detached view with this layout of the same numbers; {@link #REPEATED} repeats some of them. */
    public Tensor of(Tensor x) {
        Tensor t = x.detach().contiguous();
        int rank = t.shape().rank();
        return switch (this) {
            case CONTIGUOUS -> t;
            case OFFSET -> {
                Tensor flat = t.reshape(t.shape().elements());
                yield Tensor.concat(0, List.of(gap(t.dtype(), Shape.of(3)), flat))
                        .slice(0, 3, 3 + t.shape().elements()).reshape(t.shape());
            }
            case STRIDED -> rank == 0 ? OFFSET.of(t) : interleaved(t);
            case PADDED -> rank == 0 ? OFFSET.of(t) : padded(t);
            case TRANSPOSED -> rank < 2 ? STRIDED.of(t) : t.transpose().contiguous().transpose();
            case REVERSED -> reversed(reversed(t).contiguous());
            case REPEATED -> rank == 0 || t.dim(0) == 0 ? t : t.slice(0, 0, 1).expand(t.shape());
        };
    }

    private static Tensor interleaved(Tensor t) {
        Tensor column = t.insertAxis(-1);
        Tensor pairs = Tensor.concat(-1, List.of(column, gap(t.dtype(), column.shape())));
        return pairs.reshape(t.shape().with(-1, 2 * t.shape().last())).slice(-1, 0, 2 * t.shape().last(), 2);
    }

    private static Tensor padded(Tensor t) {
        Tensor ends = gap(t.dtype(), t.shape().with(-1, 2));
        return Tensor.concat(-1, List.of(ends, t, ends)).slice(-1, 2, 2 + t.shape().last());
    }

    private static Tensor reversed(Tensor t) {
        int[] axes = new int[t.shape().rank()];
        for (int i = 0; i < axes.length; i++) {
            axes[i] = axes.length - 1 - i;
        }
        return t.permute(axes);
    }

    private static Tensor gap(DType dtype, Shape shape) {
        return Tensor.full(dtype, shape, GAP);
    }

    /** Views of several tensors, all with this layout. */
    public List<Tensor> of(List<Tensor> xs) {
        List<Tensor> views = new ArrayList<>();
        for (Tensor x : xs) {
            views.add(of(x));
        }
        return views;
    }
}
