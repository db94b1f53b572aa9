package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Runs emitted loops on Java arrays. */
final class Harness {

    /** What can be made of a form; stepped where its types allow, else as scalar. */
    enum Target { SCALAR, STEPPED, VECTOR }

    private Harness() {}

    /** The targets of this process. */
    static List<Target> targets() {
        return VectorApi.present() ? List.of(Target.values()) : List.of(Target.SCALAR, Target.STEPPED);
    }

    static Loop loop(Target target, LaneCompiler.Form form) {
        return switch (target) {
            case VECTOR -> LaneCompiler.vector(form);
            case STEPPED -> SteppedLoop.takes(form) ? SteppedLoop.of(form) : LaneCompiler.scalar(form);
            case SCALAR -> LaneCompiler.scalar(form);
        };
    }

    /** One dense row through {@code body}; inputs and output have the lanes' type. */
    static double[] run(Target target, DType lanes, Expr body, double[]... inputs) {
        return run(target, lanes, Collections.nCopies(inputs.length, lanes), List.of(lanes), List.of(body),
                Collections.nCopies(inputs.length, Access.DENSE), new double[0], inputs[0].length, inputs)[0];
    }

    /** One row; an input that is REPEATED has one element, a STRIDED one every third. */
    static double[][] run(
            Target target, DType lanes, List<DType> in, List<DType> out, List<Expr> bodies, List<Access> access,
            double[] parameters, int n, double[]... inputs) {
        LaneCompiler.Form form =
                new LaneCompiler.Form(lanes, in, out, LaneCompiler.program(lanes, in, out, bodies), access);
        Loop loop = loop(target, form);
        try (Arena arena = Arena.ofConfined()) {
            List<MemorySegment> blocks = new ArrayList<>();
            long[] offsets = new long[in.size() + out.size()];
            for (int k = 0; k < in.size(); k++) {
                int spread = access.get(k) == Access.STRIDED ? 3 : 1;
                offsets[k] = k * (long) in.get(k).bytes();          // not always aligned to a vector
                blocks.add(arena.allocate(offsets[k] + (inputs[k].length * (long) spread + 1) * in.get(k).bytes(), 64));
                for (int i = 0; i < inputs[k].length; i++) {
                    set(in.get(k), blocks.get(k), offsets[k] + (long) i * spread * in.get(k).bytes(), inputs[k][i]);
                }
            }
            for (DType type : out) {
                blocks.add(arena.allocate((n + 1L) * type.bytes(), 64));
                set(type, blocks.getLast(), (long) n * type.bytes(), 1);
            }
            long[] strides = new long[in.size()];
            Arrays.fill(strides, 3);
            loop.run(blocks.toArray(MemorySegment[]::new), offsets, strides, parameters, n);
            double[][] results = new double[out.size()][n];
            for (int k = 0; k < out.size(); k++) {
                MemorySegment block = blocks.get(in.size() + k);
                for (int i = 0; i < n; i++) {
                    results[k][i] = get(out.get(k), block, (long) i * out.get(k).bytes());
                }
                if (get(out.get(k), block, (long) n * out.get(k).bytes()) != 1) {
                    throw new AssertionError("the loop wrote past its " + n + " elements");
                }
            }
            return results;
        }
    }

    static void set(DType type, MemorySegment block, long at, double value) {
        switch (type) {
            case F32 -> block.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, (float) value);
            case F64 -> block.set(ValueLayout.JAVA_DOUBLE_UNALIGNED, at, value);
            case BF16 -> block.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Bits.toBfloat16((float) value));
            case F16 -> block.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, Float.floatToFloat16((float) value));
            case I32 -> block.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) value);
            case I64 -> block.set(ValueLayout.JAVA_LONG_UNALIGNED, at, (long) value);
            case BOOL -> block.set(ValueLayout.JAVA_BYTE, at, (byte) value);
        }
    }

    static double get(DType type, MemorySegment block, long at) {
        return switch (type) {
            case F32 -> block.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at);
            case F64 -> block.get(ValueLayout.JAVA_DOUBLE_UNALIGNED, at);
            case BF16 -> Bits.fromBfloat16(block.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
            case F16 -> Float.float16ToFloat(block.get(ValueLayout.JAVA_SHORT_UNALIGNED, at));
            case I32 -> block.get(ValueLayout.JAVA_INT_UNALIGNED, at);
            case I64 -> block.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
            case BOOL -> block.get(ValueLayout.JAVA_BYTE, at);
        };
    }
}
