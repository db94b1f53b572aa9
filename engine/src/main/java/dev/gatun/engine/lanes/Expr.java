package dev.gatun.engine.lanes;

import java.util.List;

/**
 * What one element of an elementwise loop is worth, as a small expression over the loop's inputs. {@link LaneCompiler}
 * makes a loop of it; {@link #evaluate} says what it means, in double. A comparison makes a mask, which {@link #select}
 * and the logical operations take; where a number is asked for a mask counts as 0 or 1, and a number is true where it
 * is not 0. Expressions are equal by value, and a part used twice is computed once.
 */
public sealed interface Expr {

    /** The element of the loop's input with this index. */
    record Input(int index) implements Expr {}

    /** A number given when the loop runs, the same for every element. */
    record Parameter(int index) implements Expr {}

    /** A number known when the loop is made. */
    record Constant(double value) implements Expr {}

    /** An operation on other expressions; {@code hash} is kept so that hashing a deep expression is cheap. */
    record Apply(Op op, List<Expr> of, int hash) implements Expr {

        Apply(Op op, Expr... of) {
            this(op, List.of(of), 31 * op.ordinal() + List.of(of).hashCode());
        }

        // Compared as programs: an expression may share its parts so often that walking it as a tree never ends.
        @Override
        public boolean equals(Object other) {
            return this == other
                    || other instanceof Apply that && hash == that.hash && op == that.op
                            && Program.of(this).equals(Program.of(that));
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public String toString() {
            return Program.of(this).toString();
        }
    }

    /** Every operation; those from {@code SHIFT} on work on bits and serve the elementary functions' own expansions. */
    enum Op {
        INPUT(0), PARAMETER(0), CONSTANT(0),
        ADD(2), SUB(2), MUL(2), DIV(2), MIN(2), MAX(2), FMA(3), NEG(1), ABS(1), SQRT(1),
        RSQRT(1), EXP(1), LOG(1), LOG1P(1), EXPM1(1), SIN(1), COS(1), TANH(1), SIGMOID(1), ERF(1), POW(2), FLOOR(1),
        LT(2), LE(2), GT(2), GE(2), EQ(2), NE(2),
        AND(2), OR(2), NOT(1), SELECT(3),
        /** The bits moved up until the lowest of a float's mantissa are its exponent. */
        SHIFT(1),
        /** The exponent's bits as they are stored, put into the mantissa of 2^23 or 2^52. */
        EXPONENT(1),
        /** The mantissa alone, a number from 1 up to 2. */
        MANTISSA(1),
        /** The size of the first with the sign of the second. */
        SIGNED(2),
        /** The first, but the sine of the second where the third holds: for angles too large to reduce in lanes. */
        FAR_SIN(3),
        /** As {@link #FAR_SIN}, for the cosine. */
        FAR_COS(3);

        final int arity;

        Op(int arity) {
            this.arity = arity;
        }

        boolean compares() {
            return ordinal() >= LT.ordinal() && ordinal() <= NE.ordinal();
        }

        /** Whether the result is a mask. */
        boolean masks() {
            return ordinal() >= LT.ordinal() && ordinal() <= NOT.ordinal();
        }

        /** Whether operand {@code i} is a mask. */
        boolean takesMask(int i) {
            return switch (this) {
                case AND, OR, NOT -> true;
                case SELECT -> i == 0;
                case FAR_SIN, FAR_COS -> i == 2;
                default -> false;
            };
        }

        /** Whether loops have it as it is; the others are written out by {@link Elementary}. */
        boolean primitive() {
            return ordinal() < RSQRT.ordinal() || ordinal() > FLOOR.ordinal();
        }
    }

    /** The element of input {@code index}. */
    static Expr input(int index) {
        return new Input(index);
    }

    /** The number {@code index} of those given when the loop runs. */
    static Expr parameter(int index) {
        return new Parameter(index);
    }

    /** The same number everywhere. */
    static Expr constant(double value) {
        return new Constant(value);
    }

    /** {@code this + b}. */
    default Expr add(Expr b) {
        return new Apply(Op.ADD, this, b);
    }

    /** {@code this + b}. */
    default Expr add(double b) {
        return add(constant(b));
    }

    /** {@code this - b}. */
    default Expr sub(Expr b) {
        return new Apply(Op.SUB, this, b);
    }

    /** {@code this - b}. */
    default Expr sub(double b) {
        return sub(constant(b));
    }

    /** {@code this * b}. */
    default Expr mul(Expr b) {
        return new Apply(Op.MUL, this, b);
    }

    /** {@code this * b}. */
    default Expr mul(double b) {
        return mul(constant(b));
    }

    /** {@code this / b}; between integers rounded towards 0. */
    default Expr div(Expr b) {
        return new Apply(Op.DIV, this, b);
    }

    /** {@code this / b}; between integers rounded towards 0. */
    default Expr div(double b) {
        return div(constant(b));
    }

    /** The smaller of both; NaN where one is NaN, and -0 is less than 0. */
    default Expr min(Expr b) {
        return new Apply(Op.MIN, this, b);
    }

    /** The smaller of both; NaN where one is NaN, and -0 is less than 0. */
    default Expr min(double b) {
        return min(constant(b));
    }

    /** The larger of both; NaN where one is NaN, and -0 is less than 0. */
    default Expr max(Expr b) {
        return new Apply(Op.MAX, this, b);
    }

    /** The larger of both; NaN where one is NaN, and -0 is less than 0. */
    default Expr max(double b) {
        return max(constant(b));
    }

    /** {@code this * b + c}, rounded once. */
    default Expr fma(Expr b, Expr c) {
        return new Apply(Op.FMA, this, b, c);
    }

    /** {@code this * b + c}, rounded once. */
    default Expr fma(double b, double c) {
        return fma(constant(b), constant(c));
    }

    /** {@code this * b + c}, rounded once. */
    default Expr fma(double b, Expr c) {
        return fma(constant(b), c);
    }

    /** {@code this * b + c}, rounded once. */
    default Expr fma(Expr b, double c) {
        return fma(b, constant(c));
    }

    /** {@code -this}. */
    default Expr neg() {
        return new Apply(Op.NEG, this);
    }

    /** {@code |this|}. */
    default Expr abs() {
        return new Apply(Op.ABS, this);
    }

    /** {@code this * this}. */
    default Expr square() {
        return mul(this);
    }

    /** The square root. */
    default Expr sqrt() {
        return new Apply(Op.SQRT, this);
    }

    /** {@code 1 / sqrt(this)}. */
    default Expr rsqrt() {
        return new Apply(Op.RSQRT, this);
    }

    /** e to the power of this. */
    default Expr exp() {
        return new Apply(Op.EXP, this);
    }

    /** The natural logarithm. */
    default Expr log() {
        return new Apply(Op.LOG, this);
    }

    /** {@code log(1 + this)}, exact to the last digits for small numbers. */
    default Expr log1p() {
        return new Apply(Op.LOG1P, this);
    }

    /** {@code exp(this) - 1}, exact to the last digits for small numbers. */
    default Expr expm1() {
        return new Apply(Op.EXPM1, this);
    }

    /** The sine of this angle in radians. */
    default Expr sin() {
        return new Apply(Op.SIN, this);
    }

    /** The cosine of this angle in radians. */
    default Expr cos() {
        return new Apply(Op.COS, this);
    }

    /** The hyperbolic tangent. */
    default Expr tanh() {
        return new Apply(Op.TANH, this);
    }

    /** {@code 1 / (1 + exp(-this))}. */
    default Expr sigmoid() {
        return new Apply(Op.SIGMOID, this);
    }

    /** The error function {@code 2 / sqrt(pi) * ∫ exp(-t²)} from 0 to this. */
    default Expr erf() {
        return new Apply(Op.ERF, this);
    }

    /** This to the power of {@code b}, as {@link Math#pow} defines its special cases. */
    default Expr pow(Expr b) {
        return new Apply(Op.POW, this, b);
    }

    /** This to the power of {@code b}, as {@link Math#pow} defines its special cases. */
    default Expr pow(double b) {
        return pow(constant(b));
    }

    /** The largest whole number that is not larger. */
    default Expr floor() {
        return new Apply(Op.FLOOR, this);
    }

    /** Where {@code this < b}. */
    default Expr lt(Expr b) {
        return new Apply(Op.LT, this, b);
    }

    /** Where {@code this < b}. */
    default Expr lt(double b) {
        return lt(constant(b));
    }

    /** Where {@code this <= b}. */
    default Expr le(Expr b) {
        return new Apply(Op.LE, this, b);
    }

    /** Where {@code this <= b}. */
    default Expr le(double b) {
        return le(constant(b));
    }

    /** Where {@code this > b}. */
    default Expr gt(Expr b) {
        return new Apply(Op.GT, this, b);
    }

    /** Where {@code this > b}. */
    default Expr gt(double b) {
        return gt(constant(b));
    }

    /** Where {@code this >= b}. */
    default Expr ge(Expr b) {
        return new Apply(Op.GE, this, b);
    }

    /** Where {@code this >= b}. */
    default Expr ge(double b) {
        return ge(constant(b));
    }

    /** Where {@code this == b}. */
    default Expr eq(Expr b) {
        return new Apply(Op.EQ, this, b);
    }

    /** Where {@code this == b}. */
    default Expr eq(double b) {
        return eq(constant(b));
    }

    /** Where {@code this != b}; NaN differs from everything. */
    default Expr ne(Expr b) {
        return new Apply(Op.NE, this, b);
    }

    /** Where {@code this != b}; NaN differs from everything. */
    default Expr ne(double b) {
        return ne(constant(b));
    }

    /** Where this is NaN. */
    default Expr isNaN() {
        return ne(this);
    }

    /** Where both masks hold. */
    default Expr and(Expr b) {
        return new Apply(Op.AND, this, b);
    }

    /** Where one of the masks holds. */
    default Expr or(Expr b) {
        return new Apply(Op.OR, this, b);
    }

    /** Where this mask does not hold. */
    default Expr not() {
        return new Apply(Op.NOT, this);
    }

    /** {@code yes} where this mask holds, else {@code no}; both are computed everywhere. */
    default Expr select(Expr yes, Expr no) {
        return new Apply(Op.SELECT, this, yes, no);
    }

    /** {@code yes} where this mask holds, else {@code no}. */
    default Expr select(double yes, Expr no) {
        return select(constant(yes), no);
    }

    /** {@code yes} where this mask holds, else {@code no}. */
    default Expr select(Expr yes, double no) {
        return select(yes, constant(no));
    }

    /** {@code yes} where this mask holds, else {@code no}. */
    default Expr select(double yes, double no) {
        return select(constant(yes), constant(no));
    }

    /** What this is worth for one element, in double: the definition that loops are compared with; a mask is 0 or 1. */
    default double evaluate(double[] inputs, double[] parameters) {
        return Program.of(this).evaluate(inputs, parameters)[0];
    }
}
