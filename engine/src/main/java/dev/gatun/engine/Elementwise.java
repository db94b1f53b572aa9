package dev.gatun.engine;

import dev.gatun.engine.lanes.Expr;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * An op that works on each element by itself, given as a small expression. Shape rule, reference
 * evaluation and loops are derived from it: inputs broadcast from the right, their dtypes agree,
 * and the output has that dtype too, unless the op says otherwise.
 *
 * <p>Numbers among the op's attributes enter the expression as {@link Expr#parameter}s, so that one
 * loop serves them all; what else shapes the body belongs into {@link #form()}.
 */
public interface Elementwise extends Op {

    /** The only output in terms of the inputs. */
    Expr body(Expr... x);

    /** All outputs in terms of the inputs. */
    default List<Expr> bodies(Expr... x) {
        return List.of(body(x));
    }

    /** Numbers given to the loop when it runs, as {@code Expr.parameter(0)} and on. */
    default double[] parameters() {
        return NO_PARAMETERS;
    }

    /** What the bodies depend on besides parameters: equal forms share loops. */
    default Object form() {
        return getClass();
    }

    /** DType of the outputs for inputs of these types. */
    default DType result(DType... in) {
        return agreed(in);
    }

    /** The type the loop computes in: that of the first input that is a number. */
    default DType lanes(DType... in) {
        for (DType dtype : in) {
            if (dtype != DType.BOOL) {
                return dtype.isStorage() ? DType.F32 : dtype;
            }
        }
        return DType.F32;
    }

    @Override
    default List<Spec> infer(Spec... in) {
        DType[] dtypes = new DType[in.length];
        Shape shape = in[0].shape();
        for (int i = 0; i < in.length; i++) {
            dtypes[i] = in[i].dtype();
            shape = shape.broadcast(in[i].shape());
        }
        Spec out = new Spec(result(dtypes), shape);
        int outputs = outputs(in.length);
        return outputs == 1 ? List.of(out) : Collections.nCopies(outputs, out);
    }

    /** How many outputs the bodies are. */
    default int outputs(int inputs) {
        return 1;
    }

    @Override
    default List<Kernel> kernels() {
        return ElementwiseKernels.ALL;
    }

    /** The dtype that all inputs have; refused when they differ. */
    static DType agreed(DType... in) {
        for (int i = 1; i < in.length; i++) {
            if (in[i] != in[0]) {
                throw new DTypeException("dtypes differ: " + in[0] + " and " + in[i]);
            }
        }
        return in[0];
    }

    /** The dtype that all inputs have; refused unless it is one of real numbers. */
    static DType real(DType... in) {
        DType dtype = agreed(in);
        if (!dtype.isFloat()) {
            throw new DTypeException("real numbers are needed, not " + dtype);
        }
        return dtype;
    }

    /** The bodies over {@code Expr.input(0)} and on. */
    static List<Expr> bodiesOf(Elementwise op, int inputs) {
        List<Expr> x = new ArrayList<>();
        for (int i = 0; i < inputs; i++) {
            x.add(Expr.input(i));
        }
        return op.bodies(x.toArray(Expr[]::new));
    }

    /** No numbers besides the inputs. */
    double[] NO_PARAMETERS = {};
}
