package dev.gatun.engine;

import dev.gatun.engine.lanes.Expr;
import java.util.List;

/** The kernels that every {@link Elementwise} op has by its expression alone. */
final class ElementwiseKernels {

    static final List<Kernel> ALL = List.of(Kernel.reference(Args::elements, ElementwiseKernels::elements).strided());

    private ElementwiseKernels() {}

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
