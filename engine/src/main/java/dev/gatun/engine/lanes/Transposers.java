package dev.gatun.engine.lanes;

import static dev.gatun.engine.lanes.VectorCode.MASK;
import static dev.gatun.engine.lanes.VectorCode.SEGMENT;
import static dev.gatun.engine.lanes.VectorCode.SHUFFLE;
import static dev.gatun.engine.lanes.VectorCode.SPECIES;
import static dev.gatun.engine.lanes.VectorCode.VECTOR;
import static dev.gatun.engine.lanes.VectorCode.VECTOR_BYTES;
import static dev.gatun.engine.lanes.VectorCode.desc;
import static dev.gatun.engine.lanes.VectorCode.instance;
import static dev.gatun.engine.lanes.VectorCode.load;
import static dev.gatun.engine.lanes.VectorCode.name;
import static dev.gatun.engine.lanes.VectorCode.species;
import static dev.gatun.engine.lanes.VectorCode.store;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.CLASS_INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import dev.gatun.engine.lanes.VectorCode.Type;
import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** Emits loops that transpose squares in registers. Only touched where {@link VectorApi#present}. */
public final class Transposers {

    private static final ClassDesc SELF = desc(Transposers.class);

    private Transposers() {}

    /** A transposer of F32 ({@code single}) or F64 blocks. */
    public static Transposer transposer(boolean single) {
        Type t = Type.of(single);
        ClassDesc self = name("Transposer" + t.species());
        return instance("Transposer" + t.species(), Transposer.class, c -> {
            turns(c, t, self);
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
        turn(code, t, self, rows, swapped);
        code.lload(toAt).iload(block).i2l().lload(toBlockBytes).lmul().ladd().lstore(at);
        for (int r = 0; r < t.lanes(); r++) {
            code.aload(rows + r);
            store(code, t, to, at, 0);
            code.lload(at).lload(toRowBytes).ladd().lstore(at);
        }
        code.iinc(block, 1).goto_(loop).labelBinding(end).return_();
    }

    /** Constants that {@link #turn} needs. */
    private static void turns(ClassBuilder c, Type t, ClassDesc self) {
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
    }

    /** Transposes the square in the locals from {@code rows} on. */
    private static void turn(CodeBuilder code, Type t, ClassDesc self, int rows, int swapped) {
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
}
