package dev.gatun.layers;

import dev.gatun.engine.Tensor;
import java.lang.reflect.Constructor;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Walks states, which are records and lists of tensors, records and lists; what else they hold is
 * handed on as it is.
 */
public final class States {

    private static final ClassValue<Shape> SHAPES = new ClassValue<>() {
        @Override
        protected Shape computeValue(Class<?> type) {
            return Shape.of(type);
        }
    };

    /** How to take a record apart and put it together. */
    private record Shape(List<Method> accessors, Constructor<?> constructor) {

        static Shape of(Class<?> type) {
            RecordComponent[] components = type.getRecordComponents();
            try {
                Constructor<?> constructor = type.getDeclaredConstructor(
                        Arrays.stream(components).map(RecordComponent::getType).toArray(Class[]::new));
                constructor.setAccessible(true);
                List<Method> accessors = Arrays.stream(components).map(RecordComponent::getAccessor).toList();
                accessors.forEach(accessor -> accessor.setAccessible(true));
                return new Shape(accessors, constructor);
            } catch (NoSuchMethodException | InaccessibleObjectException e) {
                throw new IllegalArgumentException("states: the record " + type.getName()
                        + " cannot be read; make it public in an exported package, or open its package to dev.gatun.layers", e);
            }
        }
    }

    private States() {}

    /** The same state with every tensor changed: {@code States.map(state, Tensor::detach)} cuts the graph. */
    @SuppressWarnings("unchecked") // a record is put together as its own type, a list as a list
    public static <S> S map(S state, UnaryOperator<Tensor> f) {
        return (S) walk(state, f);
    }

    /** All tensors of a state, in order. */
    public static List<Tensor> tensors(Object state) {
        List<Tensor> tensors = new ArrayList<>();
        walk(state, t -> {
            tensors.add(t);
            return t;
        });
        return tensors;
    }

    private static Object walk(Object part, UnaryOperator<Tensor> f) {
        return switch (part) {
            case Tensor t -> f.apply(t);
            case Record r -> walk(r, f);
            case List<?> list -> list.stream().map(each -> walk(each, f)).toList();
            case null, default -> part;
        };
    }

    private static Object walk(Record r, UnaryOperator<Tensor> f) {
        Shape shape = SHAPES.get(r.getClass());
        Object[] parts = new Object[shape.accessors.size()];
        try {
            for (int i = 0; i < parts.length; i++) {
                parts[i] = walk(shape.accessors.get(i).invoke(r), f);
            }
            return shape.constructor.newInstance(parts);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("states: the record " + r.getClass().getName() + " cannot be taken apart and made again", e);
        }
    }
}
