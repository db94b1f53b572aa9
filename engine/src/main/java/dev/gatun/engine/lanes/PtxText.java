package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import dev.gatun.engine.lanes.Program.Step;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * PTX text of an elementwise loop, from the same expressions as {@link LaneCompiler}'s loops and with the same bits:
 * every operation is rounded where it stands, elementary functions are the engine's own expansions, and conversions go
 * as they do in Java. A thread computes one element.
 *
 * <p>Parameters of the kernel, in order: the addresses of inputs and outputs; the count of elements; the sizes of all
 * axes but the outermost; for each input that is walked, its strides, outermost first; the numbers that {@link
 * Expr#parameter} names, as doubles. Sizes, strides and the count have 64 bits in a wide loop, else 32.
 */
public final class PtxText {

    /** Name of the kernel. */
    public static final String KERNEL = "elements";

    private final Form form;
    private final StringBuilder code = new StringBuilder();
    private final List<String> parameters = new ArrayList<>();
    private final Set<Integer> masks;
    private final String lane;
    private final String bits;
    private final boolean single;
    private int temporaries;

    /**
     * What a text is written from.
     *
     * @param lanes the type that computes
     * @param in types of the inputs
     * @param out types of the outputs
     * @param bodies what the outputs are, one each
     * @param access how each input is walked: REPEATED is the same element every time, DENSE the element's own place
     * @param axes how many axes STRIDED inputs are walked along
     * @param wide whether there may be more than 2^31 elements or distances
     * @param parameters how many numbers are given at run time
     */
    public record Form(
            DType lanes, List<DType> in, List<DType> out, List<Expr> bodies, List<Access> access, int axes, boolean wide,
            int parameters) {}

    private PtxText(Form form) {
        this.form = form;
        this.single = form.lanes == DType.F32;
        this.lane = switch (form.lanes) {
            case F32 -> "f32";
            case F64 -> "f64";
            case I32 -> "s32";
            case I64 -> "s64";
            default -> throw new IllegalArgumentException("ptx: F32, F64, I32 or I64 can compute, not " + form.lanes);
        };
        this.bits = form.lanes.bytes() == 4 ? "b32" : "b64";
        this.masks = new HashSet<>();
        for (int k = 0; k < form.in.size(); k++) {
            if (form.in.get(k) == DType.BOOL) {
                masks.add(k);
            }
        }
    }

    /** Whether the bodies can be written: sines of angles beyond 2^30 are reduced for F32 only. */
    public static boolean writes(DType lanes, List<DType> in, List<DType> out, List<Expr> bodies) {
        return lanes != DType.F64 || LaneCompiler.program(lanes, in, out, bodies).steps().stream()
                .noneMatch(step -> step.op() == Expr.Op.FAR_SIN || step.op() == Expr.Op.FAR_COS);
    }

    /** The text, for every device from compute capability 7.0 on. */
    public static String of(Form form) {
        return new PtxText(form).text();
    }

    private String text() {
        Program program = LaneCompiler.program(form.lanes, form.in, form.out, form.bodies);
        String index = form.wide ? "u64" : "u32";
        line("mov.u32 %r0, %ctaid.x;");
        line("mov.u32 %r1, %ntid.x;");
        line("mov.u32 %r2, %tid.x;");
        if (form.wide) {
            line("mul.wide.u32 %d0, %r0, %r1;");
            line("cvt.u64.u32 %d1, %r2;");
            line("add.u64 %d0, %d0, %d1;");
        } else {
            line("mad.lo.u32 %r3, %r0, %r1, %r2;");
            line("cvt.u64.u32 %d0, %r3;");
        }
        for (int k = 0; k < form.in.size() + form.out.size(); k++) {
            parameter("u64", "x" + k, "%a" + k);
        }
        parameter(index, "n", form.wide ? "%d2" : "%r4");
        line(form.wide ? "setp.ge.u64 %end, %d0, %d2;" : "setp.ge.u32 %end, %r3, %r4;");
        line("@%end bra DONE;");
        walk(index);
        String[] values = new String[program.steps().size()];
        for (int p = 0; p < form.parameters; p++) {
            parameter("f64", "q" + p, "%q" + p);
        }
        for (int i = 0; i < values.length; i++) {
            values[i] = step(program.steps().get(i), values, i);
        }
        for (int k = 0; k < form.out.size(); k++) {
            store(k, values[program.roots().get(k)]);
        }
        code.append("DONE:\n");
        line("ret;");
        return header() + code + "}\n";
    }

    private String header() {
        int blocks = form.in.size() + form.out.size();
        StringBuilder text = new StringBuilder(".version 6.0\n.target sm_70\n.address_size 64\n\n.visible .entry " + KERNEL + "(\n");
        for (int i = 0; i < parameters.size(); i++) {
            text.append("\t").append(parameters.get(i)).append(i < parameters.size() - 1 ? ",\n" : "\n");
        }
        text.append(")\n{\n");
        text.append("\t.reg .pred %end;\n\t.reg .b32 %r<8>;\n\t.reg .b64 %d<8>;\n\t.reg .b64 %a<").append(blocks + 1).append(">;\n");
        text.append("\t.reg .f64 %q<").append(form.parameters + 1).append(">;\n");
        return text.toString();
    }

    private void line(String text) {
        code.append('\t').append(text).append('\n');
    }

    private void parameter(String type, String name, String register) {
        parameters.add(".param ." + type + " " + name);
        line("ld.param." + type + " " + register + ", [" + name + "];");
    }

    private String fresh(String type) {
        String name = "%t" + temporaries++;
        line(".reg ." + type + " " + name + ";");
        return name;
    }

    /** Turns the addresses of blocks into those of the element. */
    private void walk(String index) {
        boolean wide = form.wide;
        String[] offset = new String[form.in.size()];
        if (form.access.contains(Access.STRIDED)) {
            String[] sizes = new String[form.axes];
            for (int axis = 1; axis < form.axes; axis++) {
                sizes[axis] = fresh(wide ? "b64" : "b32");
                parameter(index, "d" + axis, sizes[axis]);
            }
            String[][] strides = new String[form.in.size()][form.axes];
            for (int k = 0; k < form.in.size(); k++) {
                for (int axis = 0; axis < form.axes && form.access.get(k) == Access.STRIDED; axis++) {
                    strides[k][axis] = fresh(wide ? "b64" : "b32");
                    parameter(index, "s" + k + "_" + axis, strides[k][axis]);
                }
                offset[k] = fresh(wide ? "b64" : "b32");
                line("mov." + (wide ? "b64 " : "b32 ") + offset[k] + ", 0;");
            }
            String rest = fresh(wide ? "b64" : "b32");
            String quotient = fresh(wide ? "b64" : "b32");
            String place = fresh(wide ? "b64" : "b32");
            line("mov.b" + (wide ? "64 " : "32 ") + rest + ", " + (wide ? "%d0" : "%r3") + ";");
            for (int axis = form.axes - 1; axis >= 0; axis--) {
                if (axis > 0) {
                    line("div." + index + " " + quotient + ", " + rest + ", " + sizes[axis] + ";");
                    line("mul.lo." + index + " " + place + ", " + quotient + ", " + sizes[axis] + ";");
                    line("sub." + index + " " + place + ", " + rest + ", " + place + ";");
                    line("mov.b" + (wide ? "64 " : "32 ") + rest + ", " + quotient + ";");
                } else {
                    line("mov.b" + (wide ? "64 " : "32 ") + place + ", " + rest + ";");
                }
                for (int k = 0; k < form.in.size(); k++) {
                    if (form.access.get(k) == Access.STRIDED) {
                        line("mad.lo." + index + " " + offset[k] + ", " + place + ", " + strides[k][axis] + ", " + offset[k] + ";");
                    }
                }
            }
        }
        for (int k = 0; k < form.in.size() + form.out.size(); k++) {
            boolean input = k < form.in.size();
            DType type = input ? form.in.get(k) : form.out.get(k - form.in.size());
            Access access = input ? form.access.get(k) : Access.DENSE;
            switch (access) {
                case REPEATED -> { }
                case DENSE -> line("mad.lo.u64 %a" + k + ", %d0, " + type.bytes() + ", %a" + k + ";");
                case STRIDED -> {
                    if (wide) {
                        line("mad.lo.u64 %a" + k + ", " + offset[k] + ", " + type.bytes() + ", %a" + k + ";");
                    } else {
                        line("mad.wide.u32 %a" + k + ", " + offset[k] + ", " + type.bytes() + ", %a" + k + ";");
                    }
                }
            }
        }
    }

    // ---- one step ----

    private String step(Step s, String[] v, int i) {
        boolean mask = Program.masks(s, masks);
        String to = "%v" + i;
        line(".reg ." + (mask ? "pred" : bits) + " " + to + ";");
        String a = s.op().arity > 0 ? v[s.a()] : null;
        String b = s.op().arity > 1 ? v[s.b()] : null;
        String c = s.op().arity > 2 ? v[s.c()] : null;
        boolean real = form.lanes.isFloat();
        String rn = real ? ".rn" : "";
        switch (s.op()) {
            case INPUT -> load(s.a(), to);
            case PARAMETER -> convertParameter("%q" + s.a(), to);
            case CONSTANT -> line("mov." + bits + " " + to + ", " + constant(s.value()) + ";");
            case ADD -> line("add" + rn + "." + lane + " " + to + ", " + a + ", " + b + ";");
            case SUB -> line("sub" + rn + "." + lane + " " + to + ", " + a + ", " + b + ";");
            case MUL -> line("mul" + (real ? ".rn." : ".lo.") + lane + " " + to + ", " + a + ", " + b + ";");
            case DIV -> line("div" + rn + "." + lane + " " + to + ", " + a + ", " + b + ";");
            case FMA -> line((real ? "fma.rn." : "mad.lo.") + lane + " " + to + ", " + a + ", " + b + ", " + c + ";");
            case MIN -> ofTwo("min", to, a, b);
            case MAX -> ofTwo("max", to, a, b);
            case NEG -> line("neg." + lane + " " + to + ", " + a + ";");
            case ABS -> line("abs." + lane + " " + to + ", " + a + ";");
            case SQRT -> line("sqrt.rn." + lane + " " + to + ", " + a + ";");
            case LT, LE, GT, GE, EQ -> line("setp." + s.op().name().toLowerCase(Locale.ROOT) + "." + lane + " " + to + ", " + a + ", " + b + ";");
            case NE -> line("setp." + (real ? "neu." : "ne.") + lane + " " + to + ", " + a + ", " + b + ";");
            case AND -> line("and.pred " + to + ", " + a + ", " + b + ";");
            case OR -> line("or.pred " + to + ", " + a + ", " + b + ";");
            case NOT -> line("not.pred " + to + ", " + a + ";");
            case SELECT -> line("selp." + bits + " " + to + ", " + b + ", " + c + ", " + a + ";");
            case SHIFT -> line("shl." + bits + " " + to + ", " + a + ", " + (single ? 23 : 52) + ";");
            case EXPONENT -> {
                line("shr." + (single ? "u32 " : "u64 ") + to + ", " + a + ", " + (single ? 23 : 52) + ";");
                line("or." + bits + " " + to + ", " + to + ", " + (single ? "0x4B000000" : "0x4330000000000000") + ";");
            }
            case MANTISSA -> {
                line("and." + bits + " " + to + ", " + a + ", " + (single ? "0x007FFFFF" : "0x000FFFFFFFFFFFFF") + ";");
                line("or." + bits + " " + to + ", " + to + ", " + (single ? "0x3F800000" : "0x3FF0000000000000") + ";");
            }
            case SIGNED -> line("copysign." + lane + " " + to + ", " + b + ", " + a + ";");
            case FAR_SIN -> far(to, a, b, c, 0);
            case FAR_COS -> far(to, a, b, c, 1);
            default -> throw new AssertionError(s);
        }
        return to;
    }

    // min and max of the lower tier pass a number beside NaN; Java's give NaN.
    private void ofTwo(String name, String to, String a, String b) {
        line(name + "." + lane + " " + to + ", " + a + ", " + b + ";");
        if (form.lanes.isFloat()) {
            String none = fresh("pred");
            line("setp.nan." + lane + " " + none + ", " + a + ", " + b + ";");
            line("selp." + bits + " " + to + ", " + constant(Double.NaN) + ", " + to + ", " + none + ";");
        }
    }

    private String constant(double value) {
        return switch (form.lanes) {
            case F32 -> String.format("0f%08X", Float.floatToIntBits((float) value));
            case F64 -> String.format("0d%016X", Double.doubleToLongBits(value));
            case I32 -> Integer.toString((int) value);
            default -> Long.toString((long) value);
        };
    }

    private void convertParameter(String from, String to) {
        switch (form.lanes) {
            case F32 -> line("cvt.rn.f32.f64 " + to + ", " + from + ";");
            case F64 -> line("mov.b64 " + to + ", " + from + ";");
            default -> toWhole("f64", lane, from, to);
        }
    }

    /** As Java: towards zero, saturated, and NaN is 0. */
    private void toWhole(String realType, String wholeType, String from, String to) {
        line("cvt.rzi." + wholeType + "." + realType + " " + to + ", " + from + ";");
        String none = fresh("pred");
        line("setp.nan." + realType + " " + none + ", " + from + ", " + from + ";");
        line("selp.b" + wholeType.substring(1) + " " + to + ", 0, " + to + ", " + none + ";");
    }

    private void load(int k, String to) {
        String from = "[%a" + k + "];";
        switch (form.in.get(k)) {
            case F32 -> loadAs("f32", from, to);
            case F64 -> loadAs("f64", from, to);
            case I32 -> loadAs("s32", from, to);
            case I64 -> loadAs("s64", from, to);
            case BF16 -> {
                String half = fresh("b16");
                String word = fresh("b32");
                line("ld.global.u16 " + half + ", " + from);
                line("cvt.u32.u16 " + word + ", " + half + ";");
                line("shl.b32 " + word + ", " + word + ", 16;");
                convert("f32", word, to);
            }
            case F16 -> {
                String half = fresh("b16");
                String word = fresh("b32");
                line("ld.global.u16 " + half + ", " + from);
                line("cvt.f32.f16 " + word + ", " + half + ";");
                convert("f32", word, to);
            }
            case BOOL -> {
                String half = fresh("b16");
                line("ld.global.u8 " + half + ", " + from);
                line("setp.ne.u16 " + to + ", " + half + ", 0;");
            }
        }
    }

    private void loadAs(String type, String from, String to) {
        if (type.equals(lane)) {
            line("ld.global." + type + " " + to + ", " + from);
            return;
        }
        String loaded = fresh(type.endsWith("64") ? "b64" : "b32");
        line("ld.global." + type + " " + loaded + ", " + from);
        convert(type, loaded, to);
    }

    /** From a type in a register to the lanes'. */
    private void convert(String type, String from, String to) {
        if (type.equals(lane)) {
            line("mov." + bits + " " + to + ", " + from + ";");
        } else if (type.charAt(0) == 'f' && !form.lanes.isFloat()) {
            toWhole(type, lane, from, to);
        } else {
            line("cvt." + rounding(type, lane) + lane + "." + type + " " + to + ", " + from + ";");
        }
    }

    /** Every way to a real type names its rounding, but the one that widens. */
    private static String rounding(String from, String to) {
        return to.charAt(0) == 'f' && !from.equals("f32") ? "rn." : "";
    }

    private void store(int k, String value) {
        String to = "[%a" + (form.in.size() + k) + "], ";
        switch (form.out.get(k)) {
            case F32 -> line("st.global.f32 " + to + converted("f32", value) + ";");
            case F64 -> line("st.global.f64 " + to + converted("f64", value) + ";");
            case I32 -> line("st.global.s32 " + to + converted("s32", value) + ";");
            case I64 -> line("st.global.s64 " + to + converted("s64", value) + ";");
            case BF16 -> storeBfloat16(to, converted("f32", value));
            case F16 -> {
                String half = fresh("b16");
                line("cvt.rn.f16.f32 " + half + ", " + converted("f32", value) + ";");
                line("st.global.u16 " + to + half + ";");
            }
            case BOOL -> {
                String truth = fresh("b16");
                line("selp.u16 " + truth + ", 1, 0, " + value + ";");
                line("st.global.u8 " + to + truth + ";");
            }
        }
    }

    // To nearest, the even one of two; NaN stays NaN: by whole numbers, as on the host.
    private void storeBfloat16(String to, String value) {
        String word = fresh("b32");
        String odd = fresh("b32");
        String quiet = fresh("b32");
        String none = fresh("pred");
        String half = fresh("b16");
        line("shr.u32 " + odd + ", " + value + ", 16;");
        line("or.b32 " + quiet + ", " + odd + ", 0x40;");
        line("and.b32 " + odd + ", " + odd + ", 1;");
        line("add.u32 " + word + ", " + value + ", 0x7FFF;");
        line("add.u32 " + word + ", " + word + ", " + odd + ";");
        line("shr.u32 " + word + ", " + word + ", 16;");
        line("setp.nan.f32 " + none + ", " + value + ", " + value + ";");
        line("selp.b32 " + word + ", " + quiet + ", " + word + ", " + none + ";");
        line("cvt.u16.u32 " + half + ", " + word + ";");
        line("st.global.u16 " + to + half + ";");
    }

    private String converted(String type, String value) {
        if (type.equals(lane)) {
            return value;
        }
        String to = fresh(type.endsWith("64") ? "b64" : "b32");
        if (type.charAt(0) == 's' && form.lanes.isFloat()) {
            toWhole(lane, type, value, to);
        } else {
            line("cvt." + rounding(lane, type) + type + "." + lane + " " + to + ", " + value + ";");
        }
        return to;
    }

    // ---- angles that are too large to reduce in floats ----

    /** Bits of 2/pi behind a word of zeros. */
    private static final int[] TWO_OVER_PI = {
        0, 0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab,
    };

    /**
     * Sine ({@code quarter} 0) or cosine (1) of an F32 angle x beyond 2^17, by whole numbers (Payne and Hanek 1983): with
     * {@code x = m 2^e}, the turns are {@code m 2^(e-2) 2/pi}, of which 96 bits behind the point are computed. Their
     * upper 64 are the angle as a share of a turn, and its quarter and rest give the result in double.
     */
    private void far(String to, String value, String x, String where, int quarter) {
        String skip = "NEAR" + temporaries;
        line("mov.b32 " + to + ", " + value + ";");
        line("@!" + where + " bra " + skip + ";");
        String[] w = new String[9];
        for (int i = 0; i < w.length; i++) {
            w[i] = fresh("b32");
        }
        String mantissa = w[0];
        String shift = w[1];
        String word = w[2];
        line("and.b32 " + mantissa + ", " + x + ", 0x007FFFFF;");
        line("or.b32 " + mantissa + ", " + mantissa + ", 0x00800000;");
        line("shr.u32 " + shift + ", " + x + ", 23;");
        line("and.b32 " + shift + ", " + shift + ", 255;");
        // e = exponent - 150, and the window starts e + 30 bits into the table
        line("sub.u32 " + shift + ", " + shift + ", 120;");
        line("shr.u32 " + word + ", " + shift + ", 5;");
        line("and.b32 " + shift + ", " + shift + ", 31;");
        String[] part = {w[3], w[4], w[5], w[6]};
        String at = fresh("pred");
        for (int p = 0; p < 4; p++) {
            line("mov.b32 " + part[p] + ", 0;");
        }
        for (int first = 0; first + 3 < TWO_OVER_PI.length; first++) {
            line("setp.eq.u32 " + at + ", " + word + ", " + first + ";");
            for (int p = 0; p < 4; p++) {
                line("@" + at + " mov.b32 " + part[p] + ", " + TWO_OVER_PI[first + p] + ";");
            }
        }
        for (int p = 0; p < 3; p++) {
            line("shf.l.wrap.b32 " + part[p] + ", " + part[p + 1] + ", " + part[p] + ", " + shift + ";");
        }
        // the product's lower 96 bits
        String low = fresh("b64");
        String mid = fresh("b64");
        String carry = fresh("b64");
        String turn = fresh("b64");
        line("mul.wide.u32 " + low + ", " + part[2] + ", " + mantissa + ";");
        line("shr.u64 " + carry + ", " + low + ", 32;");
        line("mul.wide.u32 " + mid + ", " + part[1] + ", " + mantissa + ";");
        line("add.u64 " + mid + ", " + mid + ", " + carry + ";");
        line("mul.lo.u32 " + w[7] + ", " + part[0] + ", " + mantissa + ";");
        line("cvt.u64.u32 " + turn + ", " + w[7] + ";");
        line("shl.b64 " + turn + ", " + turn + ", 32;");
        line("add.u64 " + turn + ", " + turn + ", " + mid + ";");
        String sign = fresh("pred");
        line("setp.lt.f32 " + sign + ", " + x + ", 0f00000000;");
        String opposite = fresh("b64");
        line("neg.s64 " + opposite + ", " + turn + ";");
        line("selp.b64 " + turn + ", " + opposite + ", " + turn + ", " + sign + ";");
        // quarter turns, rounded, and the rest as a signed share of a turn
        String quarters = fresh("b64");
        line("add.u64 " + quarters + ", " + turn + ", 0x2000000000000000;");
        line("shr.u64 " + quarters + ", " + quarters + ", 62;");
        line("shl.b64 " + opposite + ", " + quarters + ", 62;");
        line("sub.u64 " + turn + ", " + turn + ", " + opposite + ";");
        String r = fresh("f64");
        String z = fresh("f64");
        String sin = fresh("f64");
        String cos = fresh("f64");
        line("cvt.rn.f64.s64 " + r + ", " + turn + ";");
        line("mul.rn.f64 " + r + ", " + r + ", " + literal(2 * Math.PI * 0x1p-64) + ";");
        line("mul.rn.f64 " + z + ", " + r + ", " + r + ";");
        polynomial(sin, z, Coefficients.SIN_F64);
        line("mul.rn.f64 " + sin + ", " + sin + ", " + z + ";");
        line("fma.rn.f64 " + sin + ", " + sin + ", " + r + ", " + r + ";");
        polynomial(cos, z, Coefficients.COS_F64);
        line("fma.rn.f64 " + cos + ", " + cos + ", " + z + ", " + literal(-0.5) + ";");
        line("fma.rn.f64 " + cos + ", " + cos + ", " + z + ", " + literal(1) + ";");
        String which = w[8];
        line("cvt.u32.u64 " + which + ", " + quarters + ";");
        line("add.u32 " + which + ", " + which + ", " + quarter + ";");
        line("and.b32 " + w[7] + ", " + which + ", 1;");
        line("setp.eq.u32 " + at + ", " + w[7] + ", 1;");
        line("selp.f64 " + sin + ", " + cos + ", " + sin + ", " + at + ";");
        line("and.b32 " + w[7] + ", " + which + ", 2;");
        line("setp.eq.u32 " + at + ", " + w[7] + ", 2;");
        line("neg.f64 " + cos + ", " + sin + ";");
        line("selp.f64 " + sin + ", " + cos + ", " + sin + ", " + at + ";");
        line("cvt.rn.f32.f64 " + to + ", " + sin + ";");
        // an infinite angle has no sine
        line("and.b32 " + w[7] + ", " + x + ", 0x7FFFFFFF;");
        line("setp.ge.u32 " + at + ", " + w[7] + ", 0x7F800000;");
        line("selp.b32 " + to + ", 0x7FC00000, " + to + ", " + at + ";");
        code.append(skip).append(":\n");
    }

    private void polynomial(String to, String z, double[] c) {
        line("mov.f64 " + to + ", " + literal(c[c.length - 1]) + ";");
        for (int i = c.length - 2; i >= 0; i--) {
            line("fma.rn.f64 " + to + ", " + to + ", " + z + ", " + literal(c[i]) + ";");
        }
    }

    private static String literal(double value) {
        return String.format("0d%016X", Double.doubleToLongBits(value));
    }
}
