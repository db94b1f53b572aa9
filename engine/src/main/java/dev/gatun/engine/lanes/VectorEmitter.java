package dev.gatun.engine.lanes;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Program.Step;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.stream.IntStream;

/** Loops over vectors of F32 or F64: whole vectors first, then the rest of the row under a mask. */
final class VectorEmitter extends LoopEmitter {

    private static final String VECTORS = "jdk.incubator.vector";
    private static final ClassDesc VECTOR = ClassDesc.of(VECTORS, "Vector");
    private static final ClassDesc MASK = ClassDesc.of(VECTORS, "VectorMask");
    private static final ClassDesc SPECIES = ClassDesc.of(VECTORS, "VectorSpecies");
    private static final ClassDesc OPERATORS = ClassDesc.of(VECTORS, "VectorOperators");
    private static final ClassDesc ASSOCIATIVE = ClassDesc.of(VECTORS, "VectorOperators$Associative");
    private static final ClassDesc BINARY = ClassDesc.of(VECTORS, "VectorOperators$Binary");
    private static final ClassDesc COMPARISON = ClassDesc.of(VECTORS, "VectorOperators$Comparison");
    private static final ClassDesc ORDER = desc(ByteOrder.class);
    private static final ClassDesc LANES = desc(Lanes.class);
    private static final ClassDesc LAYOUTS = desc(ValueLayout.class);

    /** The vectors that a row fills, and what is left of it. */
    private static final String WHOLE = "whole";
    private static final String REST = "rest";

    private final boolean single;
    private final int length;
    private final int bytes;
    private final ClassDesc floats;    // FloatVector or DoubleVector
    private final ClassDesc whole;     // IntVector or LongVector, for bits
    private final ClassDesc number;
    private final ClassDesc wholeNumber;
    private int tail;                  // local of the mask, while the rest of the row is emitted
    private int full;
    private int position;

    VectorEmitter(LaneCompiler.Form form) {
        super(form);
        single = form.lanes() == DType.F32;
        length = single ? Lanes.F32.length() : Lanes.F64.length();
        bytes = form.lanes().bytes();
        floats = ClassDesc.of(VECTORS, single ? "FloatVector" : "DoubleVector");
        whole = ClassDesc.of(VECTORS, single ? "IntVector" : "LongVector");
        number = single ? CD_float : CD_double;
        wholeNumber = single ? CD_int : CD_long;
    }

    @Override
    String className() {
        return "FastLoop";
    }

    @Override
    void begin() {
        full = local(TypeKind.INT);
        position = local(TypeKind.LONG);
        tail = local(TypeKind.REFERENCE);
        code.iload(N).loadConstant(-length).iand().istore(full);
    }

    @Override
    List<String> parts() {
        return List.of(WHOLE, REST);
    }

    @Override
    void skip(String part, int n, Label end) {
        if (part.equals(WHOLE)) {
            code.iload(n).loadConstant(length).if_icmplt(end);
        } else {
            code.iload(n).loadConstant(length - 1).iand().ifeq(end);
        }
    }

    @Override
    void elements(String part) {
        if (part.equals(WHOLE)) {
            int i = code.allocateLocal(TypeKind.INT);
            Label next = code.newLabel();
            Label end = code.newLabel();
            code.iconst_0().istore(i);
            code.labelBinding(next).iload(i).iload(full).if_icmpge(end);
            code.iload(i).i2l().loadConstant((long) bytes).lmul().lstore(position);
            steps(Level.ELEMENT, false);
            code.iinc(i, length).goto_(next);
            code.labelBinding(end);
        } else {
            species();
            code.iload(full).iload(N)
                    .invokeinterface(SPECIES, "indexInRange", MethodTypeDesc.of(MASK, CD_int, CD_int)).astore(tail);
            code.iload(full).i2l().loadConstant((long) bytes).lmul().lstore(position);
            steps(Level.ELEMENT, true);
        }
    }

    private void species() {
        code.getstatic(LANES, single ? "F32" : "F64", SPECIES);
    }

    @Override
    void load(int k, Object masked) {
        if (masked == null) {
            ClassDesc layout = ClassDesc.of("java.lang.foreign.ValueLayout$" + (single ? "OfFloat" : "OfDouble"));
            species();
            pushSegment(k);
            code.getstatic(LAYOUTS, single ? "JAVA_FLOAT_UNALIGNED" : "JAVA_DOUBLE_UNALIGNED", layout);
            pushOffset(k);
            code.invokeinterface(SEGMENT, "get", MethodTypeDesc.of(number, layout, CD_long))
                    .invokestatic(floats, "broadcast", MethodTypeDesc.of(floats, SPECIES, number));
            return;
        }
        species();
        code.aload(rows[k]).lload(position).getstatic(LANES, "ORDER", ORDER);
        if ((boolean) masked) {
            code.aload(tail).invokestatic(
                    floats, "fromMemorySegment", MethodTypeDesc.of(floats, SPECIES, SEGMENT, CD_long, ORDER, MASK));
        } else {
            code.invokestatic(floats, "fromMemorySegment", MethodTypeDesc.of(floats, SPECIES, SEGMENT, CD_long, ORDER));
        }
    }

    @Override
    void store(int k, int root, Object masked) {
        code.aload(rows[k]).lload(position).getstatic(LANES, "ORDER", ORDER);
        if ((boolean) masked) {
            code.aload(tail).invokevirtual(
                    floats, "intoMemorySegment", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, ORDER, MASK));
        } else {
            code.invokevirtual(floats, "intoMemorySegment", MethodTypeDesc.of(CD_void, SEGMENT, CD_long, ORDER));
        }
    }

    @Override
    void broadcast(double value) {
        species();
        if (single) {
            code.loadConstant((float) value);
        } else {
            code.loadConstant(value);
        }
        code.invokestatic(floats, "broadcast", MethodTypeDesc.of(floats, SPECIES, number));
    }

    @Override
    void broadcast() {
        int given = local(TypeKind.DOUBLE);
        code.dstore(given);
        species();
        code.dload(given);
        if (single) {
            code.d2f();
        }
        code.invokestatic(floats, "broadcast", MethodTypeDesc.of(floats, SPECIES, number));
    }

    @Override
    int[] operands(Op op) {
        return switch (op) {
            case SELECT -> new int[] {2, 1, 0};
            default -> IntStream.range(0, op.arity).toArray();
        };
    }

    @Override
    void apply(Step s) {
        switch (s.op()) {
            case ADD -> binary("add");
            case SUB -> binary("sub");
            case MUL -> binary("mul");
            case DIV -> binary("div");
            case MIN -> binary("min");
            case MAX -> binary("max");
            case FMA -> code.invokevirtual(floats, "fma", MethodTypeDesc.of(floats, VECTOR, VECTOR));
            case NEG -> unary("neg");
            case ABS -> unary("abs");
            case SQRT -> unary("sqrt");
            case LT, LE, GT, GE, EQ, NE -> {
                code.getstatic(OPERATORS, s.op().name(), COMPARISON).swap()
                        .invokevirtual(floats, "compare", MethodTypeDesc.of(MASK, COMPARISON, VECTOR));
            }
            case AND -> code.invokevirtual(MASK, "and", MethodTypeDesc.of(MASK, MASK));
            case OR -> code.invokevirtual(MASK, "or", MethodTypeDesc.of(MASK, MASK));
            case NOT -> code.invokevirtual(MASK, "not", MethodTypeDesc.of(MASK));
            case SELECT -> code.invokevirtual(floats, "blend", MethodTypeDesc.of(floats, VECTOR, MASK));
            case SHIFT -> {
                toWhole();
                bits("LSHL", BINARY, single ? 23 : 52);
                toFloats();
            }
            case EXPONENT -> {
                toWhole();
                bits("LSHR", BINARY, single ? 23 : 52);
                bits("OR", ASSOCIATIVE, single ? 0x4B000000L : 0x4330000000000000L);
                toFloats();
            }
            case MANTISSA -> {
                toWhole();
                bits("AND", ASSOCIATIVE, single ? 0x007FFFFFL : 0x000FFFFFFFFFFFFFL);
                bits("OR", ASSOCIATIVE, single ? 0x3F800000L : 0x3FF0000000000000L);
                toFloats();
            }
            case SIGNED -> {
                toWhole();
                bits("AND", ASSOCIATIVE, single ? Integer.MIN_VALUE : Long.MIN_VALUE);
                code.swap();
                toWhole();
                bits("AND", ASSOCIATIVE, single ? Integer.MAX_VALUE : Long.MAX_VALUE);
                code.getstatic(OPERATORS, "OR", ASSOCIATIVE).swap();
                // sign, operator, size: the vector to or with comes last
                code.invokevirtual(whole, "lanewise", MethodTypeDesc.of(whole, BINARY, VECTOR));
                toFloats();
            }
            case FAR_SIN -> far("farSin");
            case FAR_COS -> far("farCos");
            default -> throw new AssertionError(s);
        }
    }

    private void unary(String name) {
        code.invokevirtual(floats, name, MethodTypeDesc.of(floats));
    }

    private void binary(String name) {
        code.invokevirtual(floats, name, MethodTypeDesc.of(floats, VECTOR));
    }

    private void toWhole() {
        code.invokevirtual(floats, single ? "reinterpretAsInts" : "reinterpretAsLongs", MethodTypeDesc.of(whole));
    }

    private void toFloats() {
        code.invokevirtual(whole, single ? "reinterpretAsFloats" : "reinterpretAsDoubles", MethodTypeDesc.of(floats));
    }

    private void bits(String operator, ClassDesc kind, long with) {
        code.getstatic(OPERATORS, operator, kind);
        if (single) {
            code.loadConstant((int) with);
        } else {
            code.loadConstant(with);
        }
        code.invokevirtual(whole, "lanewise", MethodTypeDesc.of(whole, BINARY, wholeNumber));
    }

    /** On the stack: the value, the angle, where it is too large. Those few lanes are computed one by one. */
    private void far(String name) {
        int mask = local(TypeKind.REFERENCE);
        int angle = local(TypeKind.REFERENCE);
        Label near = code.newLabel();
        code.astore(mask).astore(angle);
        code.aload(mask).invokevirtual(MASK, "anyTrue", MethodTypeDesc.of(CD_boolean)).ifeq(near);
        code.aload(angle).aload(mask)
                .invokestatic(LANES, name, MethodTypeDesc.of(floats, floats, floats, MASK));
        code.labelBinding(near);
    }

    @Override
    TypeKind kind(int place) {
        return TypeKind.REFERENCE;
    }
}
