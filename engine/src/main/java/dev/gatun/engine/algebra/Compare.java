package dev.gatun.engine.algebra;

import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import java.util.List;
import java.util.Locale;

/** Whether a relation holds between {@code a} and {@code b}, as BOOL. A comparison with NaN is false, but for NE. */
public record Compare(Relation relation) implements Elementwise {

    private static final Shape A = Shape.of(3, 21);

    /** The six relations. */
    public enum Relation {
        LT, LE, GT, GE, EQ, NE;

        Expr between(Expr a, Expr b) {
            return switch (this) {
                case LT -> a.lt(b);
                case LE -> a.le(b);
                case GT -> a.gt(b);
                case GE -> a.ge(b);
                case EQ -> a.eq(b);
                case NE -> a.ne(b);
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    public String name() { return relation.toString(); }

    public Expr body(Expr... x) { return relation.between(x[0], x[1]); }

    public Object form() { return this; }

    public DType result(DType... in) {
        Elementwise.agreed(in);
        return DType.BOOL;
    }

    public List<Tensor> gradient(Backward b) { return List.of(b.none(), b.none()); }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new Compare(Relation.LT), A, A), Sample.of(new Compare(Relation.LE), A, Shape.of(21)),
                Sample.of(new Compare(Relation.GT), A, A), Sample.of(new Compare(Relation.GE), A, A),
                Sample.of(new Compare(Relation.EQ), A, A).integers(0, 0, 3).integers(1, 0, 3),
                Sample.of(new Compare(Relation.NE), A, A).integers(0, 0, 3).integers(1, 0, 3));
    }

    /** Whether a relation holds between {@code x} and a number. */
    public record WithNumber(Relation relation, double number) implements Elementwise {
        public String name() { return relation.toString(); }
        public Expr body(Expr... x) { return relation.between(x[0], Expr.parameter(0)); }
        public double[] parameters() { return new double[] {number}; }
        public Object form() { return List.of(WithNumber.class, relation); }
        public DType result(DType... in) { return DType.BOOL; }
        public List<Tensor> gradient(Backward b) { return List.of(b.none()); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new WithNumber(Relation.LT, 0.5), A), Sample.of(new WithNumber(Relation.GE, -0.5), A));
        }
    }

    /** Both true. */
    public record And() implements Elementwise {
        public Expr body(Expr... x) { return x[0].and(x[1]); }
        public DType result(DType... in) { return truth(in); }
        public List<Tensor> gradient(Backward b) { return List.of(b.none(), b.none()); }
        public static List<Sample> samples() { return List.of(Sample.of(new And(), A, A).bools(0).bools(1)); }
    }

    /** One true, or both. */
    public record Or() implements Elementwise {
        public Expr body(Expr... x) { return x[0].or(x[1]); }
        public DType result(DType... in) { return truth(in); }
        public List<Tensor> gradient(Backward b) { return List.of(b.none(), b.none()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Or(), A, A).bools(0).bools(1)); }
    }

    /** Not true. */
    public record Not() implements Elementwise {
        public Expr body(Expr... x) { return x[0].not(); }
        public DType result(DType... in) { return truth(in); }
        public List<Tensor> gradient(Backward b) { return List.of(b.none()); }
        public static List<Sample> samples() { return List.of(Sample.of(new Not(), A).bools(0)); }
    }

    /** {@code yes} where the mask is true, else {@code no}. */
    public record Select() implements Elementwise {
        public Expr body(Expr... x) { return x[0].select(x[1], x[2]); }
        public List<String> arguments() { return List.of("mask", "yes", "no"); }
        public DType result(DType... in) {
            truth(in[0]);
            return Elementwise.agreed(in[1], in[2]);
        }
        public List<Tensor> gradient(Backward b) {
            Tensor zero = Tensor.zeros(b.g().dtype(), Shape.of());
            return List.of(b.none(),
                    b.needs(1) ? b.in(0).select(b.g(), zero) : b.none(),
                    b.needs(2) ? b.in(0).select(zero, b.g()) : b.none());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Select(), A, A, A).bools(0), Sample.of(new Select(), A, Shape.of(), Shape.of(21)).bools(0));
        }
    }

    private static DType truth(DType... in) {
        for (DType dtype : in) {
            if (dtype != DType.BOOL) {
                throw new DTypeException("truth values (bool) are needed, not " + dtype);
            }
        }
        return DType.BOOL;
    }
}
