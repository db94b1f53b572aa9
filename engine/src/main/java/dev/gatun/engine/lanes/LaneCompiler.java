package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Expr.Op;
import dev.gatun.engine.lanes.Program.Step;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Makes a loop of expressions. All numbers inside the loop have one type, the lanes'; inputs of other types are
 * converted on loading, outputs on storing (to BF16 and F16 the nearest, to integers towards 0, a mask to BOOL as 0 or
 * 1). Both targets give the same bits.
 */
public final class LaneCompiler {

    private LaneCompiler() {}

    /** What a loop is made from; masks are the BOOL inputs. */
    record Form(DType lanes, List<DType> in, List<DType> out, Program program, List<Access> access) {

        Set<Integer> masks() {
            return bools(in);
        }
    }

    /** A vector loop where one can be made, with a scalar one that answers until it is warm; else a scalar one. */
    public static Loop compile(
            DType lanes, List<DType> in, List<DType> out, List<Expr> bodies, List<Access> access) {
        return loop(new Form(lanes, in, out, program(lanes, in, out, bodies), access));
    }

    static Loop loop(Form form) {
        return vectorizes(form) ? new WarmingLoop(form) : scalar(form);
    }

    /** The steps of these bodies with elementary functions written out. */
    static Program program(DType lanes, List<DType> in, List<DType> out, List<Expr> bodies) {
        if (bodies.size() != out.size()) {
            throw new IllegalArgumentException(
                    "lanes: " + bodies.size() + " bodies for " + out.size() + " outputs");
        }
        List<Expr> plain = switch (lanes) {
            case F32, F64 -> Elementary.expand(bodies, lanes == DType.F32);
            case I32, I64 -> bodies;
            default -> throw new IllegalArgumentException("lanes: F32, F64, I32 or I64 can compute, not " + lanes);
        };
        Program program = Program.of(plain, bools(in), bools(out));
        for (Step s : program.steps()) {
            if (s.op() == Op.INPUT && s.a() >= in.size()) {
                throw new IllegalArgumentException("lanes: the body reads input " + s.a() + " of " + in.size());
            }
            if (!lanes.isFloat() && (!s.op().primitive() || s.op() == Op.SQRT)) {
                throw new IllegalArgumentException(
                        "lanes: " + s.op().name().toLowerCase() + " needs F32 or F64 lanes, has " + lanes);
            }
        }
        return program;
    }

    /** Whether the vector target can have this form. */
    static boolean vectorizes(Form form) {
        return VectorApi.present()
                && (form.lanes() == DType.F32 || form.lanes() == DType.F64)
                && form.in().stream().allMatch(form.lanes()::equals)
                && form.out().stream().allMatch(form.lanes()::equals)
                && !form.access().contains(Access.STRIDED);
    }

    static Loop vector(Form form) {
        return Stages.of(form, part -> new VectorEmitter(part).emit());
    }

    static Loop scalar(Form form) {
        return Stages.of(form, part -> new ScalarEmitter(part).emit());
    }

    private static Set<Integer> bools(List<DType> types) {
        Set<Integer> bools = new HashSet<>();
        for (int k = 0; k < types.size(); k++) {
            if (types.get(k) == DType.BOOL) {
                bools.add(k);
            }
        }
        return bools;
    }
}
