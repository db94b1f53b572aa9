package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.Warmup;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.ToLongFunction;

/** {@code y[…, m, n] = sum over k of a[…, m, k] b[…, k, n]}; leading axes broadcast from the right. */
public record MatMul() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.onednn(MatMul::blocks, OneDnnProduct::blocks)
                    .when(OneDnnProduct::takes).strided().costing(a -> Product.of(a).operations() / 100),
            vector(FewRowsProduct.F32, FewRowsProduct::scratchBytes, 10).when(
                    a -> a.isF32() && FewRowsProduct.takes(a) && answers(FewRowsProduct.F32)),
            vector(FewRowsProduct.F64, FewRowsProduct::scratchBytes, 5).when(
                    a -> a.computesIn(DType.F64) && FewRowsProduct.takes(a) && answers(FewRowsProduct.F64)),
            vector(PackedProduct.F32, PackedProduct::scratchBytes, 100).when(
                    a -> a.isF32() && answers(PackedProduct.F32)),
            vector(PackedProduct.F64, PackedProduct::scratchBytes, 50).when(
                    a -> a.computesIn(DType.F64) && answers(PackedProduct.F64)),
            Kernel.scalar(MatMul::blocks, MatMul::plainF32).strided().costing(a -> Product.of(a).operations() / 20),
            Kernel.scalar(MatMul::blocks, MatMul::plainF64)
                    .when(a -> a.computesIn(DType.F64)).strided().costing(a -> Product.of(a).operations() / 10),
            Kernel.reference(a -> a.elements() / Math.max(1, a.outSpec(0).shape().last()), MatMul::rows),
            ProductLaunch.STRIDED, ProductLaunch.DENSE);

    @Override
    public String name() {
        return "matmul";
    }

    @Override
    public List<Spec> infer(Spec... in) {
        DType dtype = Elementwise.real(in[0].dtype(), in[1].dtype());
        Shape a = in[0].shape();
        Shape b = in[1].shape();
        if (a.rank() < 2 || b.rank() < 2) {
            throw new ShapeException("matrices have two axes: a has " + a.rank() + ", b has " + b.rank());
        }
        if (a.last() != b.dim(-2)) {
            throw new ShapeException("inner sizes differ: a ends with " + a.last() + ", b starts with " + b.dim(-2));
        }
        Shape batch = a.drop(-1).drop(-1).broadcast(b.drop(-1).drop(-1));
        return List.of(new Spec(dtype, batch.insert(-1, a.dim(-2)).insert(-1, b.last())));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    private static long blocks(Args a) {
        return a.elements() == 0 ? 0 : Product.of(a).blocks();
    }

    /** A kernel of one form; operations a nanosecond are what it reaches about. */
    private static Kernel vector(Warmup<PackedProduct.Form> form, ToLongFunction<Product> scratchBytes, double operationsPerNano) {
        return Kernel.vector(MatMul::blocks, (a, from, to) -> {
            Product p = Product.of(a);
            MemorySegment scratch = a.scratch(scratchBytes.applyAsLong(p));
            PackedProduct.Form blocks = form.fast();
            for (long block = from; block < to; block++) {
                blocks.block(p, a.in(0), a.in(1), a.out(), scratch, block);
            }
        }).strided().warmsItself().costing(a -> Product.of(a).operations() / operationsPerNano);
    }

    /** Whether a form is the one to use: it is up to speed, or nobody is there to stand in for it. */
    private static boolean answers(Warmup<PackedProduct.Form> form) {
        return form.answers();
    }

    private static void plainF32(Args a, long from, long to) {
        Product p = Product.of(a);
        for (long block = from; block < to; block++) {
            PlainProduct.blockF32(p, a.in(0), a.in(1), a.out(), block);
        }
    }

    private static void plainF64(Args a, long from, long to) {
        Product p = Product.of(a);
        for (long block = from; block < to; block++) {
            PlainProduct.blockF64(p, a.in(0), a.in(1), a.out(), block);
        }
    }

    /** One item is one row of one product. */
    static void rows(Args a, long from, long to) {
        Shape out = a.outSpec(0).shape();
        long rows = out.dim(-2);
        long columns = out.last();
        long inner = a.shape(0).last();
        for (long item = from; item < to; item++) {
            long row = item % rows;
            long batch = item / rows;
            long atA = (matrix(batch, out, a.shape(0)) * rows + row) * inner;
            long atB = matrix(batch, out, a.shape(1)) * inner * columns;
            for (long column = 0; column < columns; column++) {
                double sum = 0;
                for (long k = 0; k < inner; k++) {
                    sum += a.get(0, atA + k) * a.get(1, atB + k * columns + column);
                }
                a.set(0, item * columns + column, sum);
            }
        }
    }

    /** Which matrix of a broadcast input meets this matrix of the result. */
    private static long matrix(long batch, Shape out, Shape in) {
        long index = 0;
        long step = 1;
        for (int axis = 3; axis <= in.rank(); axis++) {
            long at = batch % out.dim(-axis);
            batch /= out.dim(-axis);
            index += in.dim(-axis) == 1 ? 0 : at * step;
            step *= in.dim(-axis);
        }
        return index;
    }

    // da = g bᵀ and db = aᵀ g, each summed where its input served several products.
    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor g = b.g();
        Tensor left = b.in(0);
        Tensor right = b.in(1);
        Tensor dLeft = b.needs(0) ? g.matmul(right.transpose()).sumTo(left.shape()) : b.none();
        Tensor dRight = b.none();
        if (b.needs(1)) {
            if (right.shape().rank() == 2) {
                // One matrix for a whole batch: its gradient is a single product over all rows, with nothing left to sum.
                left = left.reshape(left.shape().drop(-1).elements(), left.shape().last());
                g = g.reshape(g.shape().drop(-1).elements(), g.shape().last());
            }
            dRight = left.transpose().matmul(g).sumTo(right.shape());
        }
        return List.of(dLeft, dRight);
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new MatMul(), Shape.of(3, 4), Shape.of(4, 5)),
                Sample.of(new MatMul(), Shape.of(2, 3, 7, 5), Shape.of(3, 5, 9)),
                Sample.of(new MatMul(), Shape.of(2, 1, 3, 4), Shape.of(5, 4, 2)));
    }
}
