package dev.gatun.engine.lanes;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Program.Step;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup.ClassOption;
import java.lang.invoke.MethodType;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a loop's class: counted loops over rows and their elements around the steps of a program. What does not depend on
 * the element is computed before the inner loop, what does not depend on the row before both. A step's value stays on
 * the stack when the next step takes it, else it has a local variable until its last use. Subclasses say what a lane is.
 */
abstract class LoopEmitter {

    static final ClassDesc SEGMENT = desc(MemorySegment.class);
    private static final ClassDesc LOOP = desc(Loop.class);
    private static final ClassDesc LONGS = CD_long.arrayType();
    private static final MethodTypeDesc RUN = MethodTypeDesc.of(
            CD_void, SEGMENT.arrayType(), LONGS, LONGS, LONGS, CD_double.arrayType(), CD_int, CD_int);

    // The arguments of a part, a static method; run has the same and the loop itself before them.
    private static final int BLOCKS = 0;
    private static final int OFFSETS = 1;
    private static final int ROW_BYTES = 2;
    static final int STRIDES = 3;
    private static final int PARAMETERS = 4;
    private static final int ROWS = 5;
    static final int N = 6;

    /** When a step is computed. */
    enum Level { ONCE, ROW, ELEMENT }

    final LaneCompiler.Form form;
    final Program program;
    final Set<Integer> masks;
    final Level[] levels;
    final int[] uses;
    private final int[] slots;

    // One of each per block.
    private final int[] segments;
    private final int[] offsets;
    private final int[] rowBytes;
    final int[] rows;

    CodeBuilder code;

    LoopEmitter(LaneCompiler.Form form) {
        this.form = form;
        program = form.program();
        masks = form.masks();
        uses = program.uses();
        levels = levels();
        slots = new int[program.steps().size()];
        int blocks = form.in().size() + form.out().size();
        segments = new int[blocks];
        offsets = new int[blocks];
        rowBytes = new int[blocks];
        rows = new int[blocks];
    }

    /** The loop, ready to run. */
    final Loop emit() {
        try {
            MethodHandles.Lookup made = MethodHandles.lookup().defineHiddenClass(bytes(), true, ClassOption.NESTMATE);
            return (Loop) made.findConstructor(made.lookupClass(), MethodType.methodType(void.class)).invoke();
        } catch (Throwable e) {
            throw new IllegalStateException("lanes: the emitted loop was refused\n" + program, e);
        }
    }

    final byte[] bytes() {
        ClassDesc name = ClassDesc.of(LoopEmitter.class.getPackageName(), className());
        return ClassFile.of().build(name, type -> {
            type.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC)
                    .withInterfaceSymbols(LOOP)
                    .withMethodBody(ConstantDescs.INIT_NAME, ConstantDescs.MTD_void, 0, c -> c
                            .aload(0)
                            .invokespecial(ConstantDescs.CD_Object, ConstantDescs.INIT_NAME, ConstantDescs.MTD_void)
                            .return_())
                    .withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, c -> {
                        code = c;
                        for (String part : parts()) {
                            Label end = c.newLabel();
                            skip(part, N + 1, end);
                            c.aload(BLOCKS + 1).aload(OFFSETS + 1).aload(ROW_BYTES + 1).aload(STRIDES + 1)
                                    .aload(PARAMETERS + 1).iload(ROWS + 1).iload(N + 1)
                                    .invokestatic(name, part, RUN).labelBinding(end);
                        }
                        c.return_();
                    });
            for (String part : parts()) {
                type.withMethodBody(part, RUN, ClassFile.ACC_PRIVATE | ClassFile.ACC_STATIC, c -> {
                    code = c;
                    rows(part);
                });
            }
        });
    }

    /** A method that computes one part of every row. */
    private void rows(String part) {
        int blocks = segments.length;
        for (int k = 0; k < blocks; k++) {
            code.aload(BLOCKS).loadConstant(k).aaload().astore(segments[k] = local(TypeKind.REFERENCE));
            code.aload(OFFSETS).loadConstant(k).laload().lstore(offsets[k] = local(TypeKind.LONG));
            code.aload(ROW_BYTES).loadConstant(k).laload().lstore(rowBytes[k] = local(TypeKind.LONG));
            rows[k] = local(TypeKind.REFERENCE);
        }
        begin();
        steps(Level.ONCE, null);

        int row = code.allocateLocal(TypeKind.INT);
        Label next = code.newLabel();
        Label end = code.newLabel();
        code.iconst_0().istore(row);
        code.labelBinding(next).iload(row).iload(ROWS).if_icmpge(end);
        for (int k = 0; k < blocks; k++) {
            if (dense(k)) {
                code.aload(segments[k]).lload(offsets[k])
                        .iload(N).i2l().loadConstant((long) type(k).bytes()).lmul()
                        .invokeinterface(SEGMENT, "asSlice", MethodTypeDesc.of(SEGMENT, CD_long, CD_long))
                        .astore(rows[k]);
            }
        }
        steps(Level.ROW, null);
        elements(part);
        for (int k = 0; k < blocks; k++) {
            code.lload(offsets[k]).lload(rowBytes[k]).ladd().lstore(offsets[k]);
        }
        code.iinc(row, 1).goto_(next);
        code.labelBinding(end).return_();
    }

    /** The class's name, by which {@link FirstCompiler} knows it. */
    abstract String className();

    /** What is made before everything else. */
    abstract void begin();

    /** The names of the methods a row is divided among: small ones are sooner compiled. */
    abstract List<String> parts();

    /** Jumps to {@code end} when rows of the length in local {@code n} have no such part. */
    abstract void skip(String part, int n, Label end);

    /** The part of one row. */
    abstract void elements(String part);

    /** Pushes the element of input {@code k} at {@code at}, or the only one where that is null. */
    abstract void load(int k, Object at);

    /** Takes the value on the stack, of step {@code root}, to output {@code k}. */
    abstract void store(int k, int root, Object at);

    /** Pushes a constant as a lane value. */
    abstract void broadcast(double value);

    /** Replaces the double on the stack by a lane value. */
    abstract void broadcast();

    /** The operands in the order they go on the stack. */
    abstract int[] operands(Op op);

    /** Replaces the operands on the stack by the result. */
    abstract void apply(Step step);

    /** The kind of a step's value. */
    abstract TypeKind kind(int place);

    final DType type(int k) {
        return k < form.in().size() ? form.in().get(k) : form.out().get(k - form.in().size());
    }

    final boolean dense(int k) {
        return k >= form.in().size() || form.access().get(k) == Access.DENSE;
    }

    final boolean isMask(int place) {
        return Program.masks(program.steps().get(place), masks);
    }

    final int local(TypeKind kind) {
        return code.allocateLocal(kind);
    }

    final void pushSegment(int k) {
        code.aload(segments[k]);
    }

    final void pushOffset(int k) {
        code.lload(offsets[k]);
    }

    private Level[] levels() {
        Level[] levels = new Level[program.steps().size()];
        for (int i = 0; i < levels.length; i++) {
            Step s = program.steps().get(i);
            levels[i] = switch (s.op()) {
                case CONSTANT, PARAMETER -> Level.ONCE;
                case INPUT -> form.access().get(s.a()) == Access.REPEATED ? Level.ROW : Level.ELEMENT;
                default -> {
                    Level level = Level.ONCE;
                    for (int k = 0; k < s.op().arity; k++) {
                        Level of = levels[s.operand(k)];
                        level = of.compareTo(level) > 0 ? of : level;
                    }
                    yield level;
                }
            };
        }
        return levels;
    }

    /** Emits the steps of one level, and after those of ELEMENT the stores, for the element or vector at {@code at}. */
    final void steps(Level level, Object at) {
        int[] last = lastUses();
        Map<TypeKind, Deque<Integer>> free = new HashMap<>();
        int onStack = -1;
        for (int i = 0; i < levels.length; i++) {
            if (levels[i] != level) {
                continue;
            }
            Step s = program.steps().get(i);
            switch (s.op()) {
                case INPUT -> load(s.a(), at);
                case CONSTANT -> broadcast(s.value());
                case PARAMETER -> {
                    code.aload(PARAMETERS).loadConstant(s.a()).daload();
                    broadcast();
                }
                default -> {
                    int[] order = operands(s.op());
                    for (int k = 0; k < order.length; k++) {
                        int place = s.operand(order[k]);
                        if (k > 0 || place != onStack) {
                            code.loadLocal(kind(place), slots[place]);
                        }
                    }
                    for (int k = 0; k < order.length; k++) {
                        int place = s.operand(k);
                        if (levels[place] == Level.ELEMENT && last[place] == i && place != onStack && slots[place] >= 0) {
                            free.computeIfAbsent(kind(place), any -> new ArrayDeque<>()).push(slots[place]);
                            slots[place] = -1;
                        }
                    }
                    apply(s);
                }
            }
            onStack = -1;
            if (staysOnStack(i)) {
                onStack = i;
                continue;
            }
            Deque<Integer> spare = free.get(kind(i));
            slots[i] = spare == null || spare.isEmpty() ? local(kind(i)) : spare.pop();
            code.storeLocal(kind(i), slots[i]);
        }
        if (level == Level.ELEMENT) {
            for (int k = 0; k < program.roots().size(); k++) {
                int root = program.roots().get(k);
                code.loadLocal(kind(root), slots[root]);
                store(form.in().size() + k, root, at);
            }
        }
    }

    private int[] lastUses() {
        int[] last = new int[levels.length];
        for (int i = 0; i < levels.length; i++) {
            Step s = program.steps().get(i);
            for (int k = 0; k < s.op().arity; k++) {
                last[s.operand(k)] = i;
            }
        }
        program.roots().forEach(root -> last[root] = Integer.MAX_VALUE);
        return last;
    }

    /** Whether the very next step of this level takes the value first, and nobody else does. */
    private boolean staysOnStack(int i) {
        if (uses[i] != 1 || i + 1 == levels.length || levels[i + 1] != levels[i]) {
            return false;
        }
        Step next = program.steps().get(i + 1);
        return !next.leaf() && next.operand(operands(next.op())[0]) == i;
    }

    static ClassDesc desc(Class<?> type) {
        return type.describeConstable().orElseThrow();
    }
}
