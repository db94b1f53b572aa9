package dev.gatun.engine.lanes;

import static java.lang.constant.ConstantDescs.CD_byte;
import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_short;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Program.Step;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.OperatorInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Loops over one element at a time: any types, any strides. A mask is an int, 0 or 1. */
final class ScalarEmitter extends LoopEmitter {

    private static final ClassDesc MATH = desc(Math.class);
    private static final ClassDesc STRICT_MATH = desc(StrictMath.class);
    private static final ClassDesc FLOAT = desc(Float.class);
    private static final ClassDesc BITS = desc(Bits.class);
    private static final ClassDesc LAYOUTS = desc(ValueLayout.class);

    private final TypeKind lane;
    private final ClassDesc number;
    private final int[] stepBytes;
    private int element;

    /** How a type lies in memory: its layout, and what a load pushes. */
    private record Memory(String layout, String layoutType, ClassDesc type, TypeKind kind) {

        static Memory of(DType type) {
            return switch (type) {
                case F32 -> new Memory("JAVA_FLOAT_UNALIGNED", "OfFloat", CD_float, TypeKind.FLOAT);
                case F64 -> new Memory("JAVA_DOUBLE_UNALIGNED", "OfDouble", CD_double, TypeKind.DOUBLE);
                case BF16, F16 -> new Memory("JAVA_SHORT_UNALIGNED", "OfShort", CD_short, TypeKind.FLOAT);
                case I32 -> new Memory("JAVA_INT_UNALIGNED", "OfInt", CD_int, TypeKind.INT);
                case I64 -> new Memory("JAVA_LONG_UNALIGNED", "OfLong", CD_long, TypeKind.LONG);
                case BOOL -> new Memory("JAVA_BYTE", "OfByte", CD_byte, TypeKind.INT);
            };
        }

        ClassDesc layoutDesc() {
            return ClassDesc.of("java.lang.foreign.ValueLayout$" + layoutType);
        }
    }

    ScalarEmitter(LaneCompiler.Form form) {
        super(form);
        lane = Memory.of(form.lanes()).kind();
        number = lane.upperBound();
        stepBytes = new int[form.in().size()];
    }

    @Override
    String className() {
        return "PlainLoop";
    }

    @Override
    void begin() {
        for (int k = 0; k < stepBytes.length; k++) {
            if (form.access().get(k) == Access.STRIDED) {
                code.aload(STRIDES).loadConstant(k).laload().loadConstant((long) type(k).bytes()).lmul()
                        .lstore(stepBytes[k] = local(TypeKind.LONG));
            }
        }
        element = local(TypeKind.INT);
    }

    @Override
    List<String> parts() {
        return List.of("all");
    }

    @Override
    void skip(String part, int n, Label end) {
        // every row has one
    }

    @Override
    void elements(String part) {
        Label next = code.newLabel();
        Label end = code.newLabel();
        code.iconst_0().istore(element);
        code.labelBinding(next).iload(element).iload(N).if_icmpge(end);
        steps(Level.ELEMENT, element);
        code.iinc(element, 1).goto_(next);
        code.labelBinding(end);
    }

    @Override
    void load(int k, Object at) {
        Memory memory = Memory.of(type(k));
        if (form.access().get(k) == Access.DENSE) {
            code.aload(rows[k]);
        } else {
            pushSegment(k);
        }
        code.getstatic(LAYOUTS, memory.layout(), memory.layoutDesc());
        switch (form.access().get(k)) {
            case REPEATED -> pushOffset(k);
            case DENSE -> code.iload(element).i2l().loadConstant((long) type(k).bytes()).lmul();
            case STRIDED -> {
                pushOffset(k);
                code.iload(element).i2l().lload(stepBytes[k]).lmul().ladd();
            }
        }
        code.invokeinterface(SEGMENT, "get", MethodTypeDesc.of(memory.type(), memory.layoutDesc(), CD_long));
        switch (type(k)) {
            case BF16 -> code.invokestatic(BITS, "fromBfloat16", MethodTypeDesc.of(CD_float, CD_short));
            case F16 -> code.invokestatic(FLOAT, "float16ToFloat", MethodTypeDesc.of(CD_float, CD_short));
            // 1 for any byte but 0
            case BOOL -> code.dup().ineg().ior().loadConstant(31).iushr();
            default -> { }
        }
        if (type(k) != DType.BOOL) {
            code.conversion(memory.kind(), lane);
        }
    }

    @Override
    void store(int k, int root, Object at) {
        Memory memory = Memory.of(type(k));
        TypeKind kind = memory.kind();
        if (type(k) != DType.BOOL) {
            code.conversion(lane, kind);
        }
        switch (type(k)) {
            case BF16 -> code.invokestatic(BITS, "toBfloat16", MethodTypeDesc.of(CD_short, CD_float));
            case F16 -> code.invokestatic(FLOAT, "floatToFloat16", MethodTypeDesc.of(CD_short, CD_float));
            default -> { }
        }
        TypeKind stored = memory.type().equals(CD_short) ? TypeKind.INT : kind;
        int value = local(stored);
        code.storeLocal(stored, value);
        code.aload(rows[k]).getstatic(LAYOUTS, memory.layout(), memory.layoutDesc())
                .iload(element).i2l().loadConstant((long) type(k).bytes()).lmul()
                .loadLocal(stored, value);
        if (type(k) == DType.BOOL) {
            code.i2b();
        }
        code.invokeinterface(
                SEGMENT, "set", MethodTypeDesc.of(CD_void, memory.layoutDesc(), CD_long, memory.type()));
    }

    @Override
    void broadcast(double value) {
        switch (lane) {
            case FLOAT -> code.loadConstant((float) value);
            case DOUBLE -> code.loadConstant(value);
            case LONG -> code.loadConstant((long) value);
            default -> code.loadConstant((int) value);
        }
    }

    @Override
    void broadcast() {
        code.conversion(TypeKind.DOUBLE, lane);
    }

    @Override
    int[] operands(Op op) {
        return op == Op.SELECT ? new int[] {1, 2, 0} : IntStream.range(0, op.arity).toArray();
    }

    @Override
    void apply(Step s) {
        switch (s.op()) {
            case ADD -> code.with(instruction(Opcode.IADD, Opcode.LADD, Opcode.FADD, Opcode.DADD));
            case SUB -> code.with(instruction(Opcode.ISUB, Opcode.LSUB, Opcode.FSUB, Opcode.DSUB));
            case MUL -> code.with(instruction(Opcode.IMUL, Opcode.LMUL, Opcode.FMUL, Opcode.DMUL));
            case DIV -> code.with(instruction(Opcode.IDIV, Opcode.LDIV, Opcode.FDIV, Opcode.DDIV));
            case NEG -> code.with(instruction(Opcode.INEG, Opcode.LNEG, Opcode.FNEG, Opcode.DNEG));
            case MIN -> math("min", 2);
            case MAX -> math("max", 2);
            case ABS -> math("abs", 1);
            case FMA -> {
                if (form.lanes().isFloat()) {
                    math("fma", 3);
                } else {
                    integerFma();
                }
            }
            case SQRT -> code.conversion(lane, TypeKind.DOUBLE)
                    .invokestatic(MATH, "sqrt", MethodTypeDesc.of(CD_double, CD_double))
                    .conversion(TypeKind.DOUBLE, lane);
            case LT, LE, GT, GE, EQ, NE -> compare(s.op());
            case AND -> code.iand();
            case OR -> code.ior();
            case NOT -> code.iconst_1().ixor();
            case SELECT -> select();
            case SHIFT -> bits("shift");
            case EXPONENT -> bits("exponent");
            case MANTISSA -> bits("mantissa");
            case SIGNED -> math("copySign", 2);
            case FAR_SIN -> far("sin");
            case FAR_COS -> far("cos");
            default -> throw new AssertionError(s);
        }
    }

    private OperatorInstruction instruction(
            Opcode ints, Opcode longs, Opcode floats, Opcode doubles) {
        return OperatorInstruction.of(switch (lane) {
            case INT -> ints;
            case LONG -> longs;
            case FLOAT -> floats;
            default -> doubles;
        });
    }

    private void math(String name, int arity) {
        ClassDesc[] operands = new ClassDesc[arity];
        Arrays.fill(operands, number);
        code.invokestatic(MATH, name, MethodTypeDesc.of(number, operands));
    }

    private void bits(String name) {
        code.invokestatic(BITS, name, MethodTypeDesc.of(number, number));
    }

    private void integerFma() {
        int addend = local(lane);
        code.storeLocal(lane, addend);
        code.with(instruction(Opcode.IMUL, Opcode.LMUL, Opcode.FMUL, Opcode.DMUL));
        code.loadLocal(lane, addend);
        code.with(instruction(Opcode.IADD, Opcode.LADD, Opcode.FADD, Opcode.DADD));
    }

    private void compare(Op op) {
        // A NaN must come out as "no" (NE: as "yes"), so less-than asks for +1 and greater-than for -1.
        boolean less = op == Op.LT || op == Op.LE;
        switch (lane) {
            case FLOAT -> code.with(OperatorInstruction.of(
                    less ? Opcode.FCMPG : Opcode.FCMPL));
            case DOUBLE -> code.with(OperatorInstruction.of(
                    less ? Opcode.DCMPG : Opcode.DCMPL));
            case LONG -> code.lcmp();
            default -> code.invokestatic(desc(Integer.class), "compare", MethodTypeDesc.of(CD_int, CD_int, CD_int));
        }
        Label yes = code.newLabel();
        Label end = code.newLabel();
        switch (op) {
            case LT -> code.iflt(yes);
            case LE -> code.ifle(yes);
            case GT -> code.ifgt(yes);
            case GE -> code.ifge(yes);
            case EQ -> code.ifeq(yes);
            default -> code.ifne(yes);
        }
        code.iconst_0().goto_(end).labelBinding(yes).iconst_1().labelBinding(end);
    }

    /** On the stack: yes, no, mask. */
    private void select() {
        Label yes = code.newLabel();
        Label end = code.newLabel();
        code.ifne(yes);
        dropSecond();
        code.goto_(end);
        code.labelBinding(yes);
        drop();
        code.labelBinding(end);
    }

    /** On the stack: the value, the angle, whether it is too large. */
    private void far(String name) {
        Label far = code.newLabel();
        Label end = code.newLabel();
        code.ifne(far);
        drop();
        code.goto_(end);
        code.labelBinding(far).conversion(lane, TypeKind.DOUBLE)
                .invokestatic(STRICT_MATH, name, MethodTypeDesc.of(CD_double, CD_double))
                .conversion(TypeKind.DOUBLE, lane);
        dropSecond();
        code.labelBinding(end);
    }

    private void drop() {
        if (lane.slotSize() == 2) {
            code.pop2();
        } else {
            code.pop();
        }
    }

    private void dropSecond() {
        if (lane.slotSize() == 2) {
            code.dup2_x2().pop2().pop2();
        } else {
            code.swap().pop();
        }
    }

    @Override
    TypeKind kind(int place) {
        return isMask(place) ? TypeKind.INT : lane;
    }
}
