package dev.gatun.engine.lanes;

import dev.gatun.engine.lanes.Expr.Apply;
import dev.gatun.engine.lanes.Expr.Constant;
import dev.gatun.engine.lanes.Expr.Input;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Expr.Parameter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Expressions in the order they are computed: each step names earlier steps by their place, and no two steps are
 * alike. Nothing here walks an expression by recursion, so depth and sharing cost no more than length.
 */
record Program(List<Step> steps, List<Integer> roots) {

    /** One operation. Operands are places of earlier steps; a leaf has its index in {@code a} or its {@code value}. */
    record Step(Op op, int a, int b, int c, double value) {

        int operand(int i) {
            return i == 0 ? a : i == 1 ? b : c;
        }

        boolean leaf() {
            return op.arity == 0;
        }
    }

    /** The steps of one expression, as written. */
    static Program of(Expr body) {
        return of(List.of(body), Set.of(), null);
    }

    /**
     * The steps of several expressions. {@code masks} are the inputs that are masks; the roots in {@code maskRoots}
     * become masks and the others numbers, or where that is null all stay what they are.
     */
    static Program of(List<Expr> bodies, Set<Integer> masks, Set<Integer> maskRoots) {
        Builder builder = new Builder(masks);
        Map<Expr, Integer> places = new IdentityHashMap<>();
        for (Expr e : order(bodies)) {
            places.put(e, switch (e) {
                case Input in -> builder.add(Op.INPUT, in.index(), 0, 0, 0);
                case Parameter p -> builder.add(Op.PARAMETER, p.index(), 0, 0, 0);
                case Constant c -> builder.constant(c.value());
                case Apply apply -> {
                    int[] at = new int[3];
                    for (int i = 0; i < apply.of().size(); i++) {
                        int place = places.get(apply.of().get(i));
                        at[i] = apply.op().takesMask(i) ? builder.mask(place) : builder.number(place);
                    }
                    yield builder.add(apply.op(), at[0], at[1], at[2], 0);
                }
            });
        }
        List<Integer> roots = new ArrayList<>();
        for (int k = 0; k < bodies.size(); k++) {
            int root = places.get(bodies.get(k));
            roots.add(maskRoots == null ? root : maskRoots.contains(k) ? builder.mask(root) : builder.number(root));
        }
        return new Program(List.copyOf(builder.steps), List.copyOf(roots));
    }

    /** Every part of these expressions once (the same object is the same part), operands before what uses them. */
    static List<Expr> order(List<Expr> roots) {
        List<Expr> order = new ArrayList<>();
        Map<Expr, Boolean> done = new IdentityHashMap<>();
        Deque<Expr> open = new ArrayDeque<>();
        for (Expr root : roots) {
            open.push(root);
            while (!open.isEmpty()) {
                Expr e = open.peek();
                if (e instanceof Apply apply && done.putIfAbsent(e, false) == null) {
                    for (int i = apply.of().size() - 1; i >= 0; i--) {
                        if (!done.containsKey(apply.of().get(i))) {
                            open.push(apply.of().get(i));
                        }
                    }
                } else {
                    open.pop();
                    if (done.put(e, true) != Boolean.TRUE) {
                        order.add(e);
                    }
                }
            }
        }
        return order;
    }

    /** Whether the step at this place makes a mask, given which inputs are masks. */
    static boolean masks(Step step, Set<Integer> masks) {
        return step.op == Op.INPUT ? masks.contains(step.a) : step.op.masks();
    }

    /** What the roots are worth for one element, in double. */
    double[] evaluate(double[] inputs, double[] parameters) {
        double[] v = new double[steps.size()];
        for (int i = 0; i < v.length; i++) {
            Step s = steps.get(i);
            v[i] = switch (s.op) {
                case INPUT -> inputs[s.a];
                case PARAMETER -> parameters[s.a];
                case CONSTANT -> s.value;
                default -> value(s.op, v[s.a], v[s.b], v[s.c]);
            };
        }
        return roots.stream().mapToDouble(root -> v[root]).toArray();
    }

    private static double value(Op op, double a, double b, double c) {
        return switch (op) {
            case INPUT, PARAMETER, CONSTANT -> throw new AssertionError(op);
            case ADD -> a + b;
            case SUB -> a - b;
            case MUL -> a * b;
            case DIV -> a / b;
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
            case FMA -> Math.fma(a, b, c);
            case NEG -> -a;
            case ABS -> Math.abs(a);
            case SQRT -> Math.sqrt(a);
            case RSQRT -> 1 / Math.sqrt(a);
            case EXP -> StrictMath.exp(a);
            case LOG -> StrictMath.log(a);
            case LOG1P -> StrictMath.log1p(a);
            case EXPM1 -> StrictMath.expm1(a);
            case SIN -> StrictMath.sin(a);
            case COS -> StrictMath.cos(a);
            case TANH -> StrictMath.tanh(a);
            case SIGMOID -> a < 0 ? StrictMath.exp(a) / (1 + StrictMath.exp(a)) : 1 / (1 + StrictMath.exp(-a));
            case ERF -> Erf.erf(a);
            case POW -> StrictMath.pow(a, b);
            case FLOOR -> Math.floor(a);
            case LT -> number(a < b);
            case LE -> number(a <= b);
            case GT -> number(a > b);
            case GE -> number(a >= b);
            case EQ -> number(a == b);
            case NE -> number(a != b);
            case AND -> number(a != 0 && b != 0);
            case OR -> number(a != 0 || b != 0);
            case NOT -> number(a == 0);
            case SELECT -> a != 0 ? b : c;
            case SHIFT -> Bits.shift(a);
            case EXPONENT -> Bits.exponent(a);
            case MANTISSA -> Bits.mantissa(a);
            case SIGNED -> Math.copySign(a, b);
            case FAR_SIN -> c != 0 ? StrictMath.sin(b) : a;
            case FAR_COS -> c != 0 ? StrictMath.cos(b) : a;
        };
    }

    private static double number(boolean holds) {
        return holds ? 1 : 0;
    }

    /** How often each step is an operand or a root. */
    int[] uses() {
        int[] uses = new int[steps.size()];
        for (Step s : steps) {
            for (int i = 0; i < s.op.arity; i++) {
                uses[s.operand(i)]++;
            }
        }
        roots.forEach(root -> uses[root]++);
        return uses;
    }

    /** One line a step. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < steps.size(); i++) {
            Step s = steps.get(i);
            text.append('%').append(i).append(" = ").append(s.op.name().toLowerCase());
            switch (s.op) {
                case INPUT, PARAMETER -> text.append(' ').append(s.a);
                case CONSTANT -> text.append(' ').append(s.value);
                default -> {
                    for (int k = 0; k < s.op.arity; k++) {
                        text.append(" %").append(s.operand(k));
                    }
                }
            }
            text.append('\n');
        }
        return text.append("return ").append(roots).toString();
    }

    /** Steps so far, each kept once. */
    private static final class Builder {

        final List<Step> steps = new ArrayList<>();
        private final Map<Step, Integer> known = new HashMap<>();
        private final Set<Integer> masks;

        Builder(Set<Integer> masks) {
            this.masks = masks;
        }

        int add(Op op, int a, int b, int c, double value) {
            Step step = new Step(op, a, b, c, value);
            Integer place = known.putIfAbsent(step, steps.size());
            if (place != null) {
                return place;
            }
            steps.add(step);
            return steps.size() - 1;
        }

        int constant(double value) {
            return add(Op.CONSTANT, 0, 0, 0, value);
        }

        int number(int place) {
            return masks(steps.get(place), masks) ? add(Op.SELECT, place, constant(1), constant(0), 0) : place;
        }

        int mask(int place) {
            return masks(steps.get(place), masks) ? place : add(Op.NE, place, constant(0), 0, 0);
        }
    }
}
