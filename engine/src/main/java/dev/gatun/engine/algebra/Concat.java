package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Tensors one behind the other along an axis; the other sizes agree. */
public record Concat(int axis) implements Op {

    private static final List<Kernel> KERNELS = List.of(Kernel.reference(Concat::outer, Concat::runs), AlgebraLaunch.of(AlgebraLaunch::concat));

    /** Joins the parts; a single part is returned as it is. */
    public static Tensor concat(int axis, List<Tensor> parts) {
        if (parts.isEmpty()) {
            throw new ShapeException("concat: no parts");
        }
        return parts.size() == 1 ? parts.getFirst() : new Concat(axis).apply(parts.toArray(Tensor[]::new));
    }

    @Override
    public List<Spec> infer(Spec... in) {
        DType[] dtypes = new DType[in.length];
        long total = 0;
        for (int i = 0; i < in.length; i++) {
            dtypes[i] = in[i].dtype();
            total += in[i].shape().dim(axis);
            if (!in[i].shape().with(axis, 0).equals(in[0].shape().with(axis, 0))) {
                throw new ShapeException("sizes besides axis " + axis + " differ: " + in[0].shape() + " and " + in[i].shape());
            }
        }
        return List.of(new Spec(Elementwise.agreed(dtypes), in[0].shape().with(axis, total)));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public boolean takesStorageTypes() {
        return true;
    }

    private static long outer(Args a) {
        return Runs.of(a.shape(0), a.op(Concat.class).axis).outer();
    }

    /** One item is one position of the axes in front: a run of every part. */
    static void runs(Args a, long from, long to) {
        long outer = outer(a);
        long[] bytes = new long[a.inputs()];
        long total = 0;
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = a.shape(i).elements() / outer * a.dtype(i).bytes();
            total += bytes[i];
        }
        for (long item = from; item < to; item++) {
            long at = item * total;
            for (int i = 0; i < bytes.length; i++) {
                MemorySegment.copy(a.in(i), item * bytes[i], a.out(), at, bytes[i]);
                at += bytes[i];
            }
        }
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        List<Tensor> parts = new ArrayList<>();
        long at = 0;
        for (int i = 0; i < b.inputs(); i++) {
            long next = at + b.in(i).dim(axis);
            parts.add(b.needs(i) ? b.g().slice(axis, at, next) : b.none());
            at = next;
        }
        return parts;
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new Concat(1), Shape.of(2, 3), Shape.of(2, 1), Shape.of(2, 4)),
                Sample.of(new Concat(0), Shape.of(3), Shape.of(5)),
                Sample.of(new Concat(-2), Shape.of(2, 1, 4), Shape.of(2, 3, 4)));
    }
}
