package dev.gatun.engine.lanes;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteOrder;
import java.util.function.Consumer;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Bytecode of vector loads, stores and arithmetic for either lane type, and the classes made of it. */
final class VectorCode {

    static final int VECTOR_BYTES = Lanes.F32.vectorByteSize();

    static final ClassDesc VECTOR = desc(Vector.class);
    static final ClassDesc MASK = desc(VectorMask.class);
    static final ClassDesc SHUFFLE = desc(VectorShuffle.class);
    static final ClassDesc SPECIES = desc(VectorSpecies.class);
    static final ClassDesc SEGMENT = desc(MemorySegment.class);
    private static final ClassDesc LANES = desc(Lanes.class);
    private static final ClassDesc ORDER = desc(ByteOrder.class);

    private VectorCode() {}

    /** The words of a lane type. */
    record Type(String species, Class<?> vectors, Class<?> layouts, ClassDesc lane, int bytes) {

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
            return VECTOR_BYTES / bytes;
        }
    }

    static CodeBuilder species(CodeBuilder code, Type t) {
        return code.getstatic(LANES, t.species, SPECIES);
    }

    /** Replaces a segment by the part of it that starts at a local. */
    static void slice(CodeBuilder code, int segment, int at, long bytes) {
        code.aload(segment).lload(at).ldc(bytes);
        code.invokeinterface(SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long, CD_long)).astore(segment);
    }

    /** Pushes the vector at a local and a constant beyond. */
    static CodeBuilder load(CodeBuilder code, Type t, int segment, int at, long offset) {
        species(code, t).aload(segment).lload(at).ldc(offset).ladd().getstatic(LANES, "ORDER", ORDER);
        return code.invokestatic(t.vector(), "fromMemorySegment", MethodTypeDesc.of(t.vector(), SPECIES, SEGMENT, CD_long, ORDER));
    }

    /** Pops a vector. */
    static void store(CodeBuilder code, Type t, int segment, int at, long offset) {
        code.aload(segment).lload(at).ldc(offset).ladd().getstatic(LANES, "ORDER", ORDER);
        code.invokevirtual(t.vector(), "intoMemorySegment", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, ORDER));
    }

    /** Pushes the lanes of a mask; the others are 0 and not read. */
    static CodeBuilder maskedLoad(CodeBuilder code, Type t, int segment, int at, int mask) {
        species(code, t).aload(segment).lload(at).getstatic(LANES, "ORDER", ORDER).aload(mask);
        return code.invokestatic(
                t.vector(), "fromMemorySegment", MethodTypeDesc.of(t.vector(), SPECIES, SEGMENT, CD_long, ORDER, MASK));
    }

    /** Pops a vector and writes the lanes of a mask. */
    static void maskedStore(CodeBuilder code, Type t, int segment, int at, int mask) {
        code.aload(segment).lload(at).getstatic(LANES, "ORDER", ORDER).aload(mask);
        code.invokevirtual(t.vector(), "intoMemorySegment", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, ORDER, MASK));
    }

    /** Pushes a vector of one number in memory. */
    static CodeBuilder broadcast(CodeBuilder code, Type t, int segment, int at, long offset) {
        species(code, t).aload(segment).getstatic(desc(ValueLayout.class), t.layout(), desc(t.layouts));
        code.lload(at).ldc(offset).ladd();
        code.invokeinterface(SEGMENT, "get", MethodTypeDesc.of(t.lane, desc(t.layouts), CD_long));
        return code.invokestatic(t.vector(), "broadcast", MethodTypeDesc.of(t.vector(), SPECIES, t.lane));
    }

    /** {@code sum += left * right}, rounded once. */
    static void fma(CodeBuilder code, Type t, int left, int right, int sum) {
        code.aload(left).aload(right).aload(sum);
        code.invokevirtual(t.vector(), "fma", MethodTypeDesc.of(t.vector(), VECTOR, VECTOR)).astore(sum);
    }

    static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }

    /** The name of an emitted class; {@link FirstCompiler} looks for the prefix. */
    static ClassDesc name(String simple) {
        return ClassDesc.of(VectorCode.class.getPackageName(), "Fast" + simple);
    }

    /** The only instance of a new hidden class. */
    static <T> T instance(String simple, Class<T> type, Consumer<ClassBuilder> members) {
        byte[] bytes = ClassFile.of().build(name(simple), c -> {
            c.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC).withInterfaceSymbols(desc(type));
            c.withMethodBody(INIT_NAME, MTD_void, ClassFile.ACC_PRIVATE, code ->
                    code.aload(0).invokespecial(CD_Object, INIT_NAME, MTD_void).return_());
            members.accept(c);
        });
        try {
            MethodHandles.Lookup made = MethodHandles.lookup().defineHiddenClass(bytes, true);
            return type.cast(made.findConstructor(made.lookupClass(), MethodType.methodType(void.class)).invoke());
        } catch (Throwable e) {
            throw new IllegalStateException("lanes: the JVM refused " + simple, e);
        }
    }
}
