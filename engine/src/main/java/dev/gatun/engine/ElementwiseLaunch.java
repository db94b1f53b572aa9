package dev.gatun.engine;

import dev.gatun.bindings.cuda.CudaFunction;
import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.lanes.Access;
import dev.gatun.engine.lanes.Expr;
import dev.gatun.engine.lanes.PtxText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/** Elementwise ops on a GPU: a kernel for each form of op and each way its inputs are walked, written when first needed. */
final class ElementwiseLaunch {

    private static final int THREADS = 256;

    /** Numbers that a kernel counts with 32 bits. */
    private static final long MOST_NARROW = Integer.MAX_VALUE;

    private static final ConcurrentHashMap<Written, Boolean> WRITES = new ConcurrentHashMap<>();

    /** A kernel by what it computes; the op's class or form stands for its bodies. */
    private record Written(Object op, List<DType> in, DType out, List<Access> access, int axes, boolean wide) {}

    private ElementwiseLaunch() {}

    /** Whether PTX can say it. */
    static boolean accepts(Args a) {
        Elementwise op = (Elementwise) a.op();
        DType[] in = types(a);
        Written form = new Written(op.form(), List.of(in), a.outSpec(0).dtype(), List.of(), 0, false);
        Boolean known = WRITES.get(form);
        return known != null ? known : WRITES.computeIfAbsent(form, f -> PtxText.writes(
                op.lanes(in), f.in, Collections.nCopies(a.outputs(), f.out), Elementwise.bodiesOf(op, in.length)));
    }

    private static DType[] types(Args a) {
        DType[] in = new DType[a.inputs()];
        for (int k = 0; k < in.length; k++) {
            in[k] = a.dtype(k);
        }
        return in;
    }

    static void queue(Args a, Gpu gpu) {
        long n = a.elements();
        if (n == 0) {
            return;
        }
        Elementwise op = (Elementwise) a.op();
        DType[] in = types(a);
        Walk walk = Walk.of(a.outSpec(0).shape().dims(), ElementwiseKernels.broadcastStrides(a));
        boolean wide = n > MOST_NARROW || walk.reach() > MOST_NARROW;
        Written form = new Written(op.form(), List.of(in), a.outSpec(0).dtype(), walk.access(), walk.dims.length, wide);
        double[] parameters = op.parameters();
        CudaFunction function = gpu.function(form, PtxText.KERNEL, () -> PtxText.of(new PtxText.Form(
                op.lanes(in), form.in, Collections.nCopies(a.outputs(), form.out), Elementwise.bodiesOf(op, in.length),
                form.access, form.axes, wide, parameters.length)));
        List<Object> arguments = new ArrayList<>();
        for (int k = 0; k < in.length; k++) {
            arguments.add(a.in(k).address());
        }
        for (int k = 0; k < a.outputs(); k++) {
            arguments.add(a.out(k).address());
        }
        add(arguments, n, wide);
        walk.add(arguments, form.access, wide);
        for (double parameter : parameters) {
            arguments.add(parameter);
        }
        function.launch(gpu.stream(), CudaGrid.of(Math.ceilDiv(n, THREADS), THREADS), arguments.toArray());
    }

    private static void add(List<Object> arguments, long value, boolean wide) {
        if (wide) {
            arguments.add(value);
        } else {
            arguments.add((int) value);
        }
    }

    /** Axes of the output and how each input steps along them; axes that all inputs walk as one are one. */
    private record Walk(long[] dims, long[][] strides) {

        static Walk of(long[] dims, long[][] strides) {
            int axes = 0;
            long[] size = new long[dims.length];
            long[][] step = new long[strides.length][dims.length];
            for (int axis = 0; axis < dims.length; axis++) {
                if (dims[axis] == 1) {
                    continue;
                }
                boolean joins = axes > 0;
                for (int k = 0; joins && k < strides.length; k++) {
                    joins = step[k][axes - 1] == strides[k][axis] * dims[axis];
                }
                int at = joins ? axes - 1 : axes++;
                size[at] = joins ? size[at] * dims[axis] : dims[axis];
                for (int k = 0; k < strides.length; k++) {
                    step[k][at] = strides[k][axis];
                }
            }
            long[][] kept = new long[strides.length][];
            for (int k = 0; k < kept.length; k++) {
                kept[k] = Arrays.copyOf(step[k], axes);
            }
            return new Walk(Arrays.copyOf(size, axes), kept);
        }

        List<Access> access() {
            List<Access> access = new ArrayList<>();
            for (long[] steps : strides) {
                boolean repeated = true;
                boolean dense = true;
                long expected = 1;
                for (int axis = dims.length - 1; axis >= 0; axis--) {
                    repeated &= steps[axis] == 0;
                    dense &= steps[axis] == expected;
                    expected *= dims[axis];
                }
                access.add(repeated ? Access.REPEATED : dense ? Access.DENSE : Access.STRIDED);
            }
            return access;
        }

        /** The largest distance between elements of an input. */
        long reach() {
            long most = 0;
            for (long[] steps : strides) {
                long reach = 0;
                for (int axis = 0; axis < dims.length; axis++) {
                    reach += (dims[axis] - 1) * steps[axis];
                }
                most = Math.max(most, reach);
            }
            return most;
        }

        void add(List<Object> arguments, List<Access> access, boolean wide) {
            if (!access.contains(Access.STRIDED)) {
                return;
            }
            for (int axis = 1; axis < dims.length; axis++) {
                ElementwiseLaunch.add(arguments, dims[axis], wide);
            }
            for (int k = 0; k < strides.length; k++) {
                for (int axis = 0; axis < dims.length && access.get(k) == Access.STRIDED; axis++) {
                    ElementwiseLaunch.add(arguments, strides[k][axis], wide);
                }
            }
        }
    }
}
