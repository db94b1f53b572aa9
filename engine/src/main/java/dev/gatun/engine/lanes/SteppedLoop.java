package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Program.Step;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * A loop of F32 lanes that takes its program step by step, each over a block of elements on the heap. All such loops
 * share one small method an operation, so a new expression gives the compiler nothing to do: that is why it, and not a
 * loop of its own, stands in for a vector loop that is being compiled. The bits are those of the emitted loops.
 */
final class SteppedLoop implements Loop {

    /** Elements of a block: as many blocks as a long expression needs fit the second-level cache. */
    private static final int BLOCK = 512;
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final List<Step> steps;
    private final List<Integer> roots;
    private final List<Access> access;
    private final int inputs;
    private final int[] slot;
    private final int slots;

    private SteppedLoop(LaneCompiler.Form form) {
        steps = form.program().steps();
        roots = form.program().roots();
        access = form.access();
        inputs = form.in().size();
        slot = new int[steps.size()];
        slots = place();
    }

    /** Whether a form can be taken step by step: floats only, neighbours or repeated. */
    static boolean takes(LaneCompiler.Form form) {
        return form.lanes() == DType.F32
                && Stream.concat(form.in().stream(), form.out().stream()).allMatch(DType.F32::equals)
                && !form.access().contains(Access.STRIDED);
    }

    static SteppedLoop of(LaneCompiler.Form form) {
        return new SteppedLoop(form);
    }

    /** Gives each leaf that stays a block of its own, and the other steps one that no later step needs any more. */
    private int place() {
        int[] last = new int[slot.length];
        for (int i = 0; i < slot.length; i++) {
            for (int k = 0; k < steps.get(i).op().arity; k++) {
                last[steps.get(i).operand(k)] = i;
            }
        }
        roots.forEach(root -> last[root] = slot.length);
        boolean[] busy = new boolean[slot.length];
        int staying = 0;
        for (int i = 0; i < slot.length; i++) {
            if (stays(steps.get(i))) {
                busy[staying] = true;
                slot[i] = staying++;
            }
        }
        for (int i = 0; i < slot.length; i++) {
            if (stays(steps.get(i))) {
                continue;
            }
            int free = 0;
            while (busy[free]) {
                free++;
            }
            busy[free] = true;
            slot[i] = free;
            Step s = steps.get(i);
            for (int k = 0; k < s.op().arity; k++) {
                int operand = s.operand(k);
                if (last[operand] == i && !stays(steps.get(operand))) {
                    busy[slot[operand]] = false;
                }
            }
        }
        int most = 0;
        for (int at : slot) {
            most = Math.max(most, at + 1);
        }
        return most;
    }

    /** Whether a leaf is the same for all blocks of a row, and so is written once a row. */
    private boolean stays(Step s) {
        return s.leaf() && (s.op() != Expr.Op.INPUT || access.get(s.a()) == Access.REPEATED);
    }

    @Override
    public void run(
            MemorySegment[] blocks, long[] byteOffsets, long[] rowBytes, long[] strides, double[] parameters,
            int rows, int n) {
        float[][] values = new float[slots][Math.min(n, BLOCK)];
        for (long row = 0; row < rows; row++) {
            for (int i = 0; i < slot.length; i++) {
                Step s = steps.get(i);
                if (stays(s)) {
                    Arrays.fill(values[slot[i]], switch (s.op()) {
                        case CONSTANT -> (float) s.value();
                        case PARAMETER -> (float) parameters[s.a()];
                        default -> blocks[s.a()].get(F32, byteOffsets[s.a()] + row * rowBytes[s.a()]);
                    });
                }
            }
            for (int from = 0; from < n; from += BLOCK) {
                block(blocks, byteOffsets, rowBytes, row, from, Math.min(BLOCK, n - from), values);
            }
        }
    }

    private void block(
            MemorySegment[] blocks, long[] byteOffsets, long[] rowBytes, long row, int from, int n, float[][] values) {
        for (int i = 0; i < slot.length; i++) {
            Step s = steps.get(i);
            float[] y = values[slot[i]];
            if (!s.leaf()) {
                apply(s.op(), values[slot[s.a()]], values[slot[s.b()]], values[slot[s.c()]], y, n);
            } else if (!stays(s)) {
                int k = s.a();
                MemorySegment.copy(blocks[k], F32, byteOffsets[k] + row * rowBytes[k] + from * 4L, y, 0, n);
            }
        }
        for (int r = 0; r < roots.size(); r++) {
            int k = inputs + r;
            MemorySegment.copy(values[slot[roots.get(r)]], 0, blocks[k], F32, byteOffsets[k] + row * rowBytes[k] + from * 4L, n);
        }
    }

    private static void apply(Expr.Op op, float[] a, float[] b, float[] c, float[] y, int n) {
        switch (op) {
            case ADD -> add(a, b, y, n);
            case SUB -> sub(a, b, y, n);
            case MUL -> mul(a, b, y, n);
            case DIV -> div(a, b, y, n);
            case MIN -> min(a, b, y, n);
            case MAX -> max(a, b, y, n);
            case FMA -> fma(a, b, c, y, n);
            case NEG -> neg(a, y, n);
            case ABS -> abs(a, y, n);
            case SQRT -> sqrt(a, y, n);
            case LT -> lt(a, b, y, n);
            case LE -> le(a, b, y, n);
            case GT -> lt(b, a, y, n);
            case GE -> le(b, a, y, n);
            case EQ -> eq(a, b, y, n);
            case NE -> ne(a, b, y, n);
            case AND -> mul(a, b, y, n);
            case OR -> max(a, b, y, n);
            case NOT -> not(a, y, n);
            case SELECT -> select(a, b, c, y, n);
            case SHIFT -> shift(a, y, n);
            case EXPONENT -> exponent(a, y, n);
            case MANTISSA -> mantissa(a, y, n);
            case SIGNED -> signed(a, b, y, n);
            case FAR_SIN, FAR_COS -> far(op == Expr.Op.FAR_SIN, a, b, c, y, n);
            default -> throw new AssertionError(op);
        }
    }

    private static void add(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] + b[i];
        }
    }

    private static void sub(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] - b[i];
        }
    }

    private static void mul(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] * b[i];
        }
    }

    private static void div(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] / b[i];
        }
    }

    private static void min(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.min(a[i], b[i]);
        }
    }

    private static void max(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.max(a[i], b[i]);
        }
    }

    private static void fma(float[] a, float[] b, float[] c, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.fma(a[i], b[i], c[i]);
        }
    }

    private static void neg(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = -a[i];
        }
    }

    private static void abs(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.abs(a[i]);
        }
    }

    private static void sqrt(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = (float) Math.sqrt(a[i]);
        }
    }

    private static void lt(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] < b[i] ? 1 : 0;
        }
    }

    private static void le(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] <= b[i] ? 1 : 0;
        }
    }

    private static void eq(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] == b[i] ? 1 : 0;
        }
    }

    private static void ne(float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = a[i] != b[i] ? 1 : 0;
        }
    }

    private static void not(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = 1 - a[i];
        }
    }

    private static void select(float[] mask, float[] a, float[] b, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = mask[i] != 0 ? a[i] : b[i];
        }
    }

    private static void shift(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Bits.shift(a[i]);
        }
    }

    private static void exponent(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Bits.exponent(a[i]);
        }
    }

    private static void mantissa(float[] a, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Bits.mantissa(a[i]);
        }
    }

    private static void signed(float[] a, float[] sign, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = Math.copySign(a[i], sign[i]);
        }
    }

    private static void far(boolean sine, float[] a, float[] angle, float[] mask, float[] y, int n) {
        for (int i = 0; i < n; i++) {
            y[i] = mask[i] == 0 ? a[i] : (float) (sine ? StrictMath.sin(angle[i]) : StrictMath.cos(angle[i]));
        }
    }
}
