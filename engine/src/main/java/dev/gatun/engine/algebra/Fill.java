package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** {@code start + i * step} for the i-th element, row by row: constants and ranges. */
public record Fill(Spec spec, double start, double step) implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.scalar(Args::elements, Fill::sameBits).when(a -> a.op(Fill.class).step == 0),
            Kernel.reference(Args::elements, Fill::elements),
            Kernel.cuda(AlgebraLaunch::fill).when(AlgebraLaunch::fills));

    @Override
    public List<Spec> infer(Spec... in) {
        return List.of(spec);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of();
    }

    public static List<Sample> samples() {
        return List.of(Sample.of(new Fill(new Spec(DType.F32, Shape.of(3, 5)), 1.5, 0)),
                Sample.of(new Fill(new Spec(DType.F64, Shape.of(40)), 0, 1)),
                Sample.of(new Fill(new Spec(DType.I64, Shape.of(2, 9)), -3, 2)),
                Sample.of(new Fill(new Spec(DType.BOOL, Shape.of(9)), 1, 0)));
    }

    static void elements(Args a, long from, long to) {
        Fill op = a.op(Fill.class);
        for (long i = from; i < to; i++) {
            a.set(0, i, op.start + i * op.step);
        }
    }

    /** The bits of one element of this value, as the definition writes them. */
    static long bits(DType dtype, double value) {
        return switch (dtype) {
            case F32 -> Float.floatToRawIntBits((float) value);
            case F64 -> Double.doubleToRawLongBits(value);
            case BF16 -> Tensor.of(DType.BF16, value).segment().get(ValueLayout.JAVA_SHORT, 0);
            case F16 -> Float.floatToFloat16((float) value);
            case I32 -> (int) value;
            case I64 -> (long) value;
            case BOOL -> value != 0 ? 1 : 0;
        };
    }

    /** One element is written as the definition does, and its bytes are repeated. */
    private static void sameBits(Args a, long from, long to) {
        int bytes = a.outSpec(0).dtype().bytes();
        MemorySegment part = a.out().asSlice(from * bytes, (to - from) * bytes);
        elements(a, from, from + 1);
        switch (bytes) {
            case 1 -> part.fill(part.get(ValueLayout.JAVA_BYTE, 0));
            case 2 -> {
                short value = part.get(ValueLayout.JAVA_SHORT, 0);
                for (long i = 0; i < part.byteSize(); i += 2) {
                    part.set(ValueLayout.JAVA_SHORT, i, value);
                }
            }
            case 4 -> {
                int value = part.get(ValueLayout.JAVA_INT, 0);
                for (long i = 0; i < part.byteSize(); i += 4) {
                    part.set(ValueLayout.JAVA_INT, i, value);
                }
            }
            default -> {
                long value = part.get(ValueLayout.JAVA_LONG, 0);
                for (long i = 0; i < part.byteSize(); i += 8) {
                    part.set(ValueLayout.JAVA_LONG, i, value);
                }
            }
        }
    }
}
