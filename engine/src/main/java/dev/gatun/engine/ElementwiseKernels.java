package dev.gatun.engine;

import dev.gatun.engine.lanes.Expr;
import dev.gatun.engine.lanes.Rows;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/** The kernels that every {@link Elementwise} op has by its expression alone. */
final class ElementwiseKernels {

    static final List<Kernel> ALL = List.of(
            Kernel.vector(Args::elements, (a, from, to) -> loops(a, true, from, to)).when(ElementwiseKernels::isOneRealType).strided().warmsItself(),
            Kernel.scalar(Args::elements, (a, from, to) -> loops(a, false, from, to)).when(a -> true).strided(),
            Kernel.reference(Args::elements, ElementwiseKernels::elements).strided(),
            Kernel.cuda(ElementwiseLaunch::queue).when(ElementwiseLaunch::accepts).strided());

    /** Loops by what they compute; the op's class or form stands for its bodies. */
    private static final ConcurrentHashMap<Form, Rows> LOOPS = new ConcurrentHashMap<>();

    private record Form(Object op, List<DType> in, DType out, boolean vectors) {}

    private ElementwiseKernels() {}

    /** Whether vectors can do it: one type of real numbers on both sides. */
    private static boolean isOneRealType(Args a) {
        DType dtype = a.outSpec(0).dtype();
        if (dtype != DType.F32 && dtype != DType.F64) {
            return false;
        }
        for (int i = 0; i < a.inputs(); i++) {
            if (a.dtype(i) != dtype) {
                return false;
            }
        }
        return true;
    }

    private static void loops(Args a, boolean vectors, long from, long to) {
        Elementwise op = (Elementwise) a.op();
        DType[] in = new DType[a.inputs()];
        MemorySegment[] blocks = new MemorySegment[a.inputs() + a.outputs()];
        boolean flat = true;
        for (int i = 0; i < in.length; i++) {
            in[i] = a.dtype(i);
            blocks[i] = a.in(i);
            flat &= a.contiguous(i) && a.shape(i).equals(a.outSpec(0).shape());
        }
        for (int i = 0; i < a.outputs(); i++) {
            blocks[in.length + i] = a.out(i);
        }
        Form form = new Form(op.form(), List.of(in), a.outSpec(0).dtype(), vectors);
        Rows rows = LOOPS.get(form);
        if (rows == null) {
            rows = LOOPS.computeIfAbsent(form, f -> new Rows(op.lanes(in), f.in, Collections.nCopies(a.outputs(), f.out),
                    Elementwise.bodiesOf(op, in.length), vectors));
        }
        long[][] strides;
        long[] dims;
        if (flat) {
            strides = new long[in.length][];
            Arrays.fill(strides, NEIGHBOURS);
            dims = new long[] {a.elements()};
        } else {
            strides = broadcastStrides(a);
            dims = a.outSpec(0).shape().dims();
        }
        rows.run(blocks, new long[blocks.length], strides, dims, op.parameters(), from, to);
    }

    private static final long[] NEIGHBOURS = {1};

    /** The expression evaluated in double, one element at a time: what an elementwise op means. */
    static void elements(Args a, long from, long to) {
        Elementwise op = (Elementwise) a.op();
        List<Expr> bodies = Elementwise.bodiesOf(op, a.inputs());
        long[][] strides = broadcastStrides(a);
        long[] dims = a.outSpec(0).shape().dims();
        double[] parameters = op.parameters();
        double[] x = new double[a.inputs()];
        for (long i = from; i < to; i++) {
            for (int input = 0; input < x.length; input++) {
                long rest = i;
                long at = 0;
                for (int axis = dims.length - 1; axis >= 0; axis--) {
                    at += rest % dims[axis] * strides[input][axis];
                    rest /= dims[axis];
                }
                x[input] = a.get(input, at);
            }
            for (int output = 0; output < bodies.size(); output++) {
                a.set(output, i, bodies.get(output).evaluate(x, parameters));
            }
        }
    }

    /** Strides of each input against the axes of the output: zero where it repeats. */
    static long[][] broadcastStrides(Args a) {
        int rank = a.outSpec(0).shape().rank();
        long[][] strides = new long[a.inputs()][rank];
        for (int input = 0; input < strides.length; input++) {
            Shape shape = a.shape(input);
            long[] own = a.strides(input);
            int added = rank - shape.rank();
            for (int axis = 0; axis < shape.rank(); axis++) {
                strides[input][axis + added] = shape.dim(axis) == 1 ? 0 : own[axis];
            }
        }
        return strides;
    }
}
