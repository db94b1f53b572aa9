package dev.gatun.engine.lanes;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.CLASS_INIT_NAME;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

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

    private static final ClassDesc LANES = desc(Lanes.class);
    private static final ClassDesc SELF = desc(Tiles.class);
    private static final ClassDesc VECTOR = desc(Vector.class);
    private static final ClassDesc MASK = desc(VectorMask.class);
    private static final ClassDesc SHUFFLE = desc(VectorShuffle.class);
    private static final ClassDesc SPECIES = desc(VectorSpecies.class);
    private static final ClassDesc SEGMENT = desc(MemorySegment.class);
    private static final ClassDesc ORDER = desc(ByteOrder.class);

    private Tiles() {}

    private static int registers() {
        boolean x86 = System.getProperty("os.arch").matches("amd64|x86_64|x86");
        return x86 && FloatVector.SPECIES_MAX.vectorBitSize() < 512 ? 16 : 32;
    }

    /** The words of a lane type. */
    private record Type(String species, Class<?> vectors, Class<?> layouts, ClassDesc lane, int bytes) {

        static final Type F32 = new Type("F32", FloatVector.class, ValueLayout.OfFloat.class, ClassDesc.ofDescriptor("F"), 4);
        static final Type F64 = new Type("F64", DoubleVector.class, ValueLayout.OfDouble.class, ClassDesc.ofDescriptor("D"), 8);

        static Type of(boolean single) {
            return single ? F32 : F64;
        }

        ClassDesc vector() {
            return desc(vectors);
        }

        String layout() {
            return this == F32 ? "JAVA_FLOAT_UNALIGNED" : "JAVA_DOUBLE_UNALIGNED";
        }

        int lanes() {
            return Lanes.F32.vectorByteSize() / bytes;
        }
    }

    /** A tile of {@code rows} rows of F32 ({@code single}) or F64 that overwrites its result, or adds to it. */
    public static Tile tile(boolean single, int rows, boolean adds) {
        Type t = Type.of(single);
        return (Tile) instance("FastTile" + t.species + "x" + rows, Tile.class, c -> c.withMethodBody(
                "run",
                MethodTypeDesc.of(CD_void, SEGMENT, CD_long, SEGMENT, CD_long, SEGMENT, CD_long, CD_long, CD_int),
                ClassFile.ACC_PUBLIC,
                code -> tile(code, t, rows, adds)));
    }

    private static void tile(CodeBuilder code, Type t, int rows, boolean adds) {
        int a = 1;
        int aAt = 2;
        int b = 4;
        int bAt = 5;
        int c = 7;
        int cAt = 8;
        int cRowBytes = 10;
        int steps = 12;
        int step = 13;
        int aStep = 14;
        int bStep = 16;
        int left = 18;
        int right = left + 1;
        int sums = right + VECTORS;

        // Slices of a constant size and a bounded counter: the compiler then proves every access in the loop at
        // compile time. Without that its checks, made at the start of each call, cost a tenth at 64 steps.
        slice(code, a, aAt, (long) rows * STEPS * t.bytes);
        slice(code, b, bAt, (long) STEPS * PANEL_BYTES);
        code.iload(steps).ldc(STEPS).invokestatic(desc(Math.class), "min", MethodTypeDesc.of(CD_int, CD_int, CD_int)).istore(steps);

        for (int i = 0; i < rows * VECTORS; i++) {
            species(code, t).invokestatic(t.vector(), "zero", MethodTypeDesc.of(t.vector(), SPECIES)).astore(sums + i);
        }
        Label loop = code.newLabel();
        Label end = code.newLabel();
        code.iconst_0().istore(step);
        code.labelBinding(loop).iload(step).iload(steps).if_icmpge(end);
        code.iload(step).i2l().ldc((long) t.bytes).lmul().lstore(aStep);
        code.iload(step).i2l().ldc((long) PANEL_BYTES).lmul().lstore(bStep);
        for (int v = 0; v < VECTORS; v++) {
            load(code, t, b, bStep, v * vectorBytes()).astore(right + v);
        }
        for (int row = 0; row < rows; row++) {
            species(code, t).aload(a).getstatic(desc(ValueLayout.class), t.layout(), desc(t.layouts));
            code.lload(aStep).ldc((long) row * STEPS * t.bytes).ladd();
            code.invokeinterface(SEGMENT, "get", MethodTypeDesc.of(t.lane, desc(t.layouts), CD_long));
            code.invokestatic(t.vector(), "broadcast", MethodTypeDesc.of(t.vector(), SPECIES, t.lane)).astore(left);
            for (int v = 0; v < VECTORS; v++) {
                int sum = sums + row * VECTORS + v;
                code.aload(left).aload(right + v).aload(sum);
                code.invokevirtual(t.vector(), "fma", MethodTypeDesc.of(t.vector(), VECTOR, VECTOR)).astore(sum);
            }
        }
        code.iinc(step, 1).goto_(loop).labelBinding(end);

        for (int row = 0; row < rows; row++) {
            for (int v = 0; v < VECTORS; v++) {
                code.aload(sums + row * VECTORS + v);
                if (adds) {
                    load(code, t, c, cAt, v * vectorBytes());
                    code.invokevirtual(t.vector(), "add", MethodTypeDesc.of(t.vector(), VECTOR));
                }
                store(code, t, c, cAt, v * vectorBytes());
            }
            code.lload(cAt).lload(cRowBytes).ladd().lstore(cAt);
        }
        code.return_();
    }

    private static void slice(CodeBuilder code, int segment, int at, long bytes) {
        code.aload(segment).lload(at).ldc(bytes);
        code.invokeinterface(SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long, CD_long)).astore(segment);
    }

    /** A transposer of F32 ({@code single}) or F64 blocks. */
    public static Transposer transposer(boolean single) {
        Type t = Type.of(single);
        ClassDesc self = name("FastTransposer" + t.species);
        return (Transposer) instance("FastTransposer" + t.species, Transposer.class, c -> {
            for (int distance = 1; distance < t.lanes(); distance *= 2) {
                c.withField("UP" + distance, SHUFFLE, ClassFile.ACC_STATIC | ClassFile.ACC_FINAL);
                c.withField("DOWN" + distance, SHUFFLE, ClassFile.ACC_STATIC | ClassFile.ACC_FINAL);
                c.withField("HIGH" + distance, MASK, ClassFile.ACC_STATIC | ClassFile.ACC_FINAL);
            }
            c.withMethodBody(CLASS_INIT_NAME, MTD_void, ClassFile.ACC_STATIC, code -> {
                for (int distance = 1; distance < t.lanes(); distance *= 2) {
                    species(code, t).ldc(distance).invokestatic(SELF, "rotation", MethodTypeDesc.of(SHUFFLE, SPECIES, CD_int));
                    code.putstatic(self, "UP" + distance, SHUFFLE);
                    species(code, t).ldc(-distance).invokestatic(SELF, "rotation", MethodTypeDesc.of(SHUFFLE, SPECIES, CD_int));
                    code.putstatic(self, "DOWN" + distance, SHUFFLE);
                    species(code, t).ldc(distance).invokestatic(SELF, "high", MethodTypeDesc.of(MASK, SPECIES, CD_int));
                    code.putstatic(self, "HIGH" + distance, MASK);
                }
                code.return_();
            });
            c.withMethodBody(
                    "run",
                    MethodTypeDesc.of(CD_void, SEGMENT, CD_long, CD_long, CD_long, SEGMENT, CD_long, CD_long, CD_long, CD_int),
                    ClassFile.ACC_PUBLIC,
                    code -> transposer(code, t, self));
        });
    }

    private static void transposer(CodeBuilder code, Type t, ClassDesc self) {
        int from = 1;
        int fromAt = 2;
        int fromRowBytes = 4;
        int fromBlockBytes = 6;
        int to = 8;
        int toAt = 9;
        int toRowBytes = 11;
        int toBlockBytes = 13;
        int blocks = 15;
        int block = 16;
        int at = 17;
        int swapped = 19;
        int rows = 20;

        Label loop = code.newLabel();
        Label end = code.newLabel();
        code.iconst_0().istore(block);
        code.labelBinding(loop).iload(block).iload(blocks).if_icmpge(end);
        code.lload(fromAt).iload(block).i2l().lload(fromBlockBytes).lmul().ladd().lstore(at);
        for (int r = 0; r < t.lanes(); r++) {
            load(code, t, from, at, 0).astore(rows + r);
            code.lload(at).lload(fromRowBytes).ladd().lstore(at);
        }
        // A matrix of four blocks is transposed by exchanging two of them, and then each in the same way.
        for (int distance = 1; distance < t.lanes(); distance *= 2) {
            for (int r = 0; r < t.lanes(); r++) {
                if ((r & distance) == 0) {
                    int upper = rows + r;
                    int lower = rows + r + distance;
                    code.aload(upper);
                    moved(code, t, self, lower, "UP" + distance).getstatic(self, "HIGH" + distance, MASK);
                    code.invokevirtual(t.vector(), "blend", MethodTypeDesc.of(t.vector(), VECTOR, MASK)).astore(swapped);
                    moved(code, t, self, upper, "DOWN" + distance).aload(lower).getstatic(self, "HIGH" + distance, MASK);
                    code.invokevirtual(t.vector(), "blend", MethodTypeDesc.of(t.vector(), VECTOR, MASK)).astore(lower);
                    code.aload(swapped).astore(upper);
                }
            }
        }
        code.lload(toAt).iload(block).i2l().lload(toBlockBytes).lmul().ladd().lstore(at);
        for (int r = 0; r < t.lanes(); r++) {
            code.aload(rows + r);
            store(code, t, to, at, 0);
            code.lload(at).lload(toRowBytes).ladd().lstore(at);
        }
        code.iinc(block, 1).goto_(loop).labelBinding(end).return_();
    }

    private static CodeBuilder moved(CodeBuilder code, Type t, ClassDesc self, int vector, String shuffle) {
        code.aload(vector).getstatic(self, shuffle, SHUFFLE);
        return code.invokevirtual(t.vector(), "rearrange", MethodTypeDesc.of(t.vector(), SHUFFLE));
    }

    /** Lane i takes lane {@code i - distance}. */
    static VectorShuffle<?> rotation(VectorSpecies<?> species, int distance) {
        return VectorShuffle.fromOp(species, i -> i - distance & species.length() - 1);
    }

    /** The lanes whose index has this bit. */
    static VectorMask<?> high(VectorSpecies<?> species, int bit) {
        boolean[] lanes = new boolean[species.length()];
        for (int i = 0; i < lanes.length; i++) {
            lanes[i] = (i & bit) != 0;
        }
        return VectorMask.fromArray(species, lanes, 0);
    }

    // ---- pieces of code ----

    private static int vectorBytes() {
        return PANEL_BYTES / VECTORS;
    }

    private static CodeBuilder species(CodeBuilder code, Type t) {
        return code.getstatic(LANES, t.species, SPECIES);
    }

    private static CodeBuilder load(CodeBuilder code, Type t, int segment, int at, long offset) {
        species(code, t).aload(segment).lload(at).ldc(offset).ladd().getstatic(LANES, "ORDER", ORDER);
        return code.invokestatic(t.vector(), "fromMemorySegment", MethodTypeDesc.of(t.vector(), SPECIES, SEGMENT, CD_long, ORDER));
    }

    private static void store(CodeBuilder code, Type t, int segment, int at, long offset) {
        code.aload(segment).lload(at).ldc(offset).ladd().getstatic(LANES, "ORDER", ORDER);
        code.invokevirtual(t.vector(), "intoMemorySegment", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, ORDER));
    }

    private static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }

    private static ClassDesc name(String simple) {
        return ClassDesc.of(Tiles.class.getPackageName(), simple);
    }

    private static Object instance(String simple, Class<?> type, Consumer<ClassBuilder> members) {
        byte[] bytes = ClassFile.of().build(name(simple), c -> {
            c.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC).withInterfaceSymbols(desc(type));
            c.withMethodBody(INIT_NAME, MTD_void, ClassFile.ACC_PRIVATE, code ->
                    code.aload(0).invokespecial(CD_Object, INIT_NAME, MTD_void).return_());
            members.accept(c);
        });
        try {
            MethodHandles.Lookup made = MethodHandles.lookup().defineHiddenClass(bytes, true);
            return made.findConstructor(made.lookupClass(), java.lang.invoke.MethodType.methodType(void.class)).invoke();
        } catch (Throwable e) {
            throw new IllegalStateException("tiles: the JVM refused " + simple, e);
        }
    }
}
