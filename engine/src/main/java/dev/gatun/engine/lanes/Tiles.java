package dev.gatun.engine.lanes;

import static dev.gatun.engine.lanes.VectorCode.MASK;
import static dev.gatun.engine.lanes.VectorCode.SEGMENT;
import static dev.gatun.engine.lanes.VectorCode.SPECIES;
import static dev.gatun.engine.lanes.VectorCode.VECTOR;
import static dev.gatun.engine.lanes.VectorCode.VECTOR_BYTES;
import static dev.gatun.engine.lanes.VectorCode.broadcast;
import static dev.gatun.engine.lanes.VectorCode.desc;
import static dev.gatun.engine.lanes.VectorCode.fma;
import static dev.gatun.engine.lanes.VectorCode.instance;
import static dev.gatun.engine.lanes.VectorCode.load;
import static dev.gatun.engine.lanes.VectorCode.maskedLoad;
import static dev.gatun.engine.lanes.VectorCode.maskedStore;
import static dev.gatun.engine.lanes.VectorCode.slice;
import static dev.gatun.engine.lanes.VectorCode.species;
import static dev.gatun.engine.lanes.VectorCode.store;
import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.gatun.engine.lanes.VectorCode.Type;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.MethodTypeDesc;
import jdk.incubator.vector.FloatVector;

/**
 * Emits the inner loops of matrix products. By hand they would be forty near-equal lines for every lane type and
 * number of rows; emitted, each is a class of its own, so that one the compiler has given up on can be made anew.
 * Only touched where {@link VectorApi#present}.
 */
public final class Tiles {

    /** The most steps of a sum that are done in registers before the result is added to memory. */
    public static final int STEPS = 256;

    /** Vectors side by side in a tile. */
    public static final int VECTORS = 2;

    /** Bytes of a row of a tile, and of a step of a packed panel. */
    public static final int PANEL_BYTES = VECTORS * Lanes.F32.vectorByteSize();

    /**
     * Rows of a tall tile. With 32 vector registers 12 rows of two vectors hide the latency of the additions behind
     * few enough loads; processors with 16 registers (x86 before AVX-512) hold half of that.
     */
    public static final int TALL = registers() >= 32 ? 12 : 6;

    /** Rows of a low tile, which divides a tall one: what is left below the tall ones takes one or two of these. */
    public static final int LOW = TALL / 3;

    private Tiles() {}

    private static int registers() {
        boolean x86 = System.getProperty("os.arch").matches("amd64|x86_64|x86");
        return x86 && FloatVector.SPECIES_MAX.vectorBitSize() < 512 ? 16 : 32;
    }

    /** A tile of {@code rows} rows of F32 ({@code single}) or F64. */
    public static Tile tile(boolean single, int rows) {
        Type t = Type.of(single);
        return instance("Tile" + t.species() + "x" + rows, Tile.class, c -> c.withMethodBody(
                "run",
                MethodTypeDesc.of(CD_void, SEGMENT, CD_long, SEGMENT, CD_long, SEGMENT, CD_long, CD_long, CD_int, CD_boolean),
                ClassFile.ACC_PUBLIC,
                code -> tile(code, t, rows)));
    }

    private static void tile(CodeBuilder code, Type t, int rows) {
        int a = 1;
        int aAt = 2;
        int b = 4;
        int bAt = 5;
        int c = 7;
        int cAt = 8;
        int cRowBytes = 10;
        int steps = 12;
        int adds = 13;
        int step = 14;
        int aStep = 15;
        int bStep = 17;
        int left = 19;
        int right = left + 1;
        int sums = right + VECTORS;

        // Slices of a constant size and a bounded counter: the compiler then proves every access in the loop at
        // compile time. Without that its checks, made at the start of each call, cost a tenth at 64 steps.
        slice(code, a, aAt, (long) rows * STEPS * t.bytes());
        slice(code, b, bAt, (long) STEPS * PANEL_BYTES);
        code.iload(steps).ldc(STEPS).invokestatic(desc(Math.class), "min", MethodTypeDesc.of(CD_int, CD_int, CD_int)).istore(steps);

        for (int i = 0; i < rows * VECTORS; i++) {
            species(code, t).invokestatic(t.vector(), "zero", MethodTypeDesc.of(t.vector(), SPECIES)).astore(sums + i);
        }
        Label loop = code.newLabel();
        Label end = code.newLabel();
        code.iconst_0().istore(step);
        code.labelBinding(loop).iload(step).iload(steps).if_icmpge(end);
        code.iload(step).i2l().ldc((long) t.bytes()).lmul().lstore(aStep);
        code.iload(step).i2l().ldc((long) PANEL_BYTES).lmul().lstore(bStep);
        for (int v = 0; v < VECTORS; v++) {
            load(code, t, b, bStep, v * VECTOR_BYTES).astore(right + v);
        }
        for (int row = 0; row < rows; row++) {
            broadcast(code, t, a, aStep, (long) row * STEPS * t.bytes()).astore(left);
            for (int v = 0; v < VECTORS; v++) {
                int sum = sums + row * VECTORS + v;
                fma(code, t, left, right + v, sum);
            }
        }
        code.iinc(step, 1).goto_(loop).labelBinding(end);

        Label overwrite = code.newLabel();
        code.iload(adds).ifeq(overwrite);
        finish(code, t, rows, true, sums, c, cAt, cRowBytes);
        code.return_();
        code.labelBinding(overwrite);
        finish(code, t, rows, false, sums, c, cAt, cRowBytes);
        code.return_();
    }

    private static void finish(CodeBuilder code, Type t, int rows, boolean adds, int sums, int c, int cAt, int cRowBytes) {
        for (int row = 0; row < rows; row++) {
            for (int v = 0; v < VECTORS; v++) {
                code.aload(sums + row * VECTORS + v);
                if (adds) {
                    load(code, t, c, cAt, v * VECTOR_BYTES);
                    code.invokevirtual(t.vector(), "add", MethodTypeDesc.of(t.vector(), VECTOR));
                }
                store(code, t, c, cAt, v * VECTOR_BYTES);
            }
            code.lload(cAt).lload(cRowBytes).ladd().lstore(cAt);
        }
    }

    /** An adder of F32 ({@code single}) or F64 for so many rows of factors and so many rows of {@code b}. */
    public static RowAdder adder(boolean single, int rows, int count) {
        Type t = Type.of(single);
        return instance("Adder" + t.species() + "x" + rows + "x" + count, RowAdder.class, c -> c.withMethodBody(
                "run",
                MethodTypeDesc.of(
                        CD_void, SEGMENT, CD_long, CD_long, SEGMENT, CD_long, CD_long, SEGMENT, CD_long, CD_long, CD_int),
                ClassFile.ACC_PUBLIC,
                code -> adder(code, t, rows, count)));
    }

    private static void adder(CodeBuilder code, Type t, int rows, int count) {
        int x = 1;
        int xAt = 2;
        int xRowBytes = 4;
        int b = 6;
        int bAt = 7;
        int bRowBytes = 9;
        int sums = 11;
        int sumsAt = 12;
        int sumsRowBytes = 14;
        int columns = 16;
        int column = 17;
        int full = 18;
        int at = 19;
        int rest = 21;
        int right = 22;
        int sum = 23;
        int factors = sum + rows;
        int streams = factors + rows * count;
        int targets = streams + count;

        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < count; i++) {
                broadcast(code, t, x, xAt, (long) i * t.bytes()).astore(factors + row * count + i);
            }
            code.lload(xAt).lload(xRowBytes).ladd().lstore(xAt);
            row(code, t, sums, sumsAt, columns, targets + row);
            code.lload(sumsAt).lload(sumsRowBytes).ladd().lstore(sumsAt);
        }
        for (int i = 0; i < count; i++) {
            row(code, t, b, bAt, columns, streams + i);
            code.lload(bAt).lload(bRowBytes).ladd().lstore(bAt);
        }
        Label loop = code.newLabel();
        Label tail = code.newLabel();
        Label end = code.newLabel();
        code.iload(columns).ldc(-t.lanes()).iand().istore(full);
        code.iconst_0().istore(column);
        code.labelBinding(loop).iload(column).iload(full).if_icmpge(tail);
        code.iload(column).i2l().ldc((long) t.bytes()).lmul().lstore(at);
        for (int row = 0; row < rows; row++) {
            load(code, t, targets + row, at, 0).astore(sum + row);
        }
        for (int i = 0; i < count; i++) {
            load(code, t, streams + i, at, 0).astore(right);
            for (int row = 0; row < rows; row++) {
                fma(code, t, factors + row * count + i, right, sum + row);
            }
        }
        for (int row = 0; row < rows; row++) {
            code.aload(sum + row);
            store(code, t, targets + row, at, 0);
        }
        code.iinc(column, t.lanes()).goto_(loop);

        code.labelBinding(tail).iload(full).iload(columns).if_icmpge(end);
        species(code, t).iload(full).iload(columns);
        code.invokeinterface(SPECIES, "indexInRange", MethodTypeDesc.of(MASK, CD_int, CD_int)).astore(rest);
        code.iload(full).i2l().ldc((long) t.bytes()).lmul().lstore(at);
        for (int row = 0; row < rows; row++) {
            maskedLoad(code, t, targets + row, at, rest).astore(sum + row);
        }
        for (int i = 0; i < count; i++) {
            maskedLoad(code, t, streams + i, at, rest).astore(right);
            for (int row = 0; row < rows; row++) {
                fma(code, t, factors + row * count + i, right, sum + row);
            }
        }
        for (int row = 0; row < rows; row++) {
            code.aload(sum + row);
            maskedStore(code, t, targets + row, at, rest);
        }
        code.labelBinding(end).return_();
    }

    /** Stores the part of a segment that holds one row. */
    private static void row(CodeBuilder code, Type t, int segment, int at, int columns, int to) {
        code.aload(segment).lload(at).iload(columns).i2l().ldc((long) t.bytes()).lmul();
        code.invokeinterface(SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long, CD_long)).astore(to);
    }
}
