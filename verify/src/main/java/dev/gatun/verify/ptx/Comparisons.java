package dev.gatun.verify.ptx;

import dev.gatun.verify.ptx.LaneOps.Comparison;
import java.util.Map;

/** The comparisons of {@code setp}: for each type which lanes are less, equal or neither, from which all others follow. */
final class Comparisons {

    /** Lanes that are less in the lower half, lanes that are equal in the upper. */
    private interface Order {
        long of(long[] a, long[] b);
    }

    private static final int LANES = LaneOps.LANES;

    private static final Map<String, Order> WHOLE = Map.of(
            "s16", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order((short) a[l], (short) b[l]) << l;
                }
                return found;
            },
            "u16", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order(a[l] & 0xFFFF, b[l] & 0xFFFF) << l;
                }
                return found;
            },
            "s32", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order((int) a[l], (int) b[l]) << l;
                }
                return found;
            },
            "u32", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order(LaneOps.u(a[l]), LaneOps.u(b[l])) << l;
                }
                return found;
            },
            "s64", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order(a[l], b[l]) << l;
                }
                return found;
            },
            "u64", (a, b) -> {
                long found = 0;
                for (int l = 0; l < LANES; l++) {
                    found |= order(a[l] ^ Long.MIN_VALUE, b[l] ^ Long.MIN_VALUE) << l;
                }
                return found;
            });

    private Comparisons() {}

    private static long order(long a, long b) {
        return a < b ? 1 : a == b ? 1L << LANES : 0;
    }

    private static long order(double a, double b) {
        return a < b ? 1 : a == b ? 1L << LANES : 0;
    }

    private static long order32(long[] a, long[] b) {
        long found = 0;
        for (int l = 0; l < LANES; l++) {
            found |= order((double) LaneOps.f(a[l]), (double) LaneOps.f(b[l])) << l;
        }
        return found;
    }

    private static long order64(long[] a, long[] b) {
        long found = 0;
        for (int l = 0; l < LANES; l++) {
            found |= order(LaneOps.d(a[l]), LaneOps.d(b[l])) << l;
        }
        return found;
    }

    private static int none(long[] a, long[] b, boolean wide) {
        int found = 0;
        for (int l = 0; l < LANES; l++) {
            boolean none = wide ? Double.isNaN(LaneOps.d(a[l])) || Double.isNaN(LaneOps.d(b[l]))
                    : Float.isNaN(LaneOps.f(a[l])) || Float.isNaN(LaneOps.f(b[l]));
            found |= none ? 1 << l : 0;
        }
        return found;
    }

    /** The comparison of a name such as {@code lt} in a type, or null. */
    static Comparison of(String name, String type) {
        if (type.equals("f32") || type.equals("f64")) {
            return real(name, type.equals("f64"));
        }
        boolean bits = type.charAt(0) == 'b';
        Order order = WHOLE.get(bits ? "u" + type.substring(1) : type);
        if (order == null) {
            return null;
        }
        return switch (name) {
            case "eq" -> (a, b) -> (int) (order.of(a, b) >>> LANES);
            case "ne" -> (a, b) -> ~(int) (order.of(a, b) >>> LANES);
            case "lt" -> bits ? null : (a, b) -> (int) order.of(a, b);
            case "ge" -> bits ? null : (a, b) -> ~(int) order.of(a, b);
            case "gt" -> bits ? null : (a, b) -> (int) order.of(b, a);
            case "le" -> bits ? null : (a, b) -> ~(int) order.of(b, a);
            default -> null;
        };
    }

    // With NaN on either side the plain ones are false, those with a u true.
    private static Comparison real(String name, boolean wide) {
        Order order = wide ? Comparisons::order64 : Comparisons::order32;
        return switch (name) {
            case "eq" -> (a, b) -> (int) (order.of(a, b) >>> LANES);
            case "ne" -> (a, b) -> ~(int) (order.of(a, b) >>> LANES) & ~none(a, b, wide);
            case "lt" -> (a, b) -> (int) order.of(a, b);
            case "gt" -> (a, b) -> (int) order.of(b, a);
            case "le" -> (a, b) -> either(order.of(a, b));
            case "ge" -> (a, b) -> either(order.of(b, a));
            case "equ" -> (a, b) -> (int) (order.of(a, b) >>> LANES) | none(a, b, wide);
            case "neu" -> (a, b) -> ~(int) (order.of(a, b) >>> LANES);
            case "ltu" -> (a, b) -> ~either(order.of(b, a));
            case "gtu" -> (a, b) -> ~either(order.of(a, b));
            case "leu" -> (a, b) -> ~(int) order.of(b, a);
            case "geu" -> (a, b) -> ~(int) order.of(a, b);
            case "num" -> (a, b) -> ~none(a, b, wide);
            case "nan" -> (a, b) -> none(a, b, wide);
            default -> null;
        };
    }

    private static int either(long found) {
        return (int) found | (int) (found >>> LANES);
    }
}
