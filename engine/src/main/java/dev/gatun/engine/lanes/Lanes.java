package dev.gatun.engine.lanes;

import java.nio.ByteOrder;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * How wide vectors are: what the machine prefers, or {@code -Dgatun.bits=128}, 256 or 512. Only touched where
 * {@link VectorApi#present}.
 */
public final class Lanes {

    private static final VectorShape SHAPE = shape(VectorApi.BITS);

    /** Vectors of floats. */
    public static final VectorSpecies<Float> F32 = VectorSpecies.of(float.class, SHAPE);
    /** Vectors of doubles. */
    public static final VectorSpecies<Double> F64 = VectorSpecies.of(double.class, SHAPE);

    /** The byte order of native memory. */
    static final ByteOrder ORDER = ByteOrder.nativeOrder();

    private Lanes() {}

    private static VectorShape shape(String bits) {
        return switch (bits) {
            case "128" -> VectorShape.S_128_BIT;
            case "256" -> VectorShape.S_256_BIT;
            case "512" -> VectorShape.S_512_BIT;
            default -> FloatVector.SPECIES_PREFERRED.vectorShape();
        };
    }

    // Angles beyond the reach of the lanes' own reduction are rare, so these may be slow: vectors cross the call boxed.

    static FloatVector farSin(FloatVector y, FloatVector x, VectorMask<Float> far) {
        float[] values = x.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) StrictMath.sin(values[i]);
        }
        return y.blend(FloatVector.fromArray(F32, values, 0), far);
    }

    static FloatVector farCos(FloatVector y, FloatVector x, VectorMask<Float> far) {
        float[] values = x.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) StrictMath.cos(values[i]);
        }
        return y.blend(FloatVector.fromArray(F32, values, 0), far);
    }

    static DoubleVector farSin(DoubleVector y, DoubleVector x, VectorMask<Double> far) {
        double[] values = x.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = StrictMath.sin(values[i]);
        }
        return y.blend(DoubleVector.fromArray(F64, values, 0), far);
    }

    static DoubleVector farCos(DoubleVector y, DoubleVector x, VectorMask<Double> far) {
        double[] values = x.toArray();
        for (int i = 0; i < values.length; i++) {
            values[i] = StrictMath.cos(values[i]);
        }
        return y.blend(DoubleVector.fromArray(F64, values, 0), far);
    }
}
