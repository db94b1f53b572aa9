package dev.gatun.layers.model;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Records of numbers, words and truth values as metadata, one entry a component, and back. */
final class Records {

    private Records() {}

    static Map<String, String> toMetadata(String prefix, Record record) {
        Map<String, String> metadata = new LinkedHashMap<>();
        for (RecordComponent component : record.getClass().getRecordComponents()) {
            metadata.put(prefix + "." + component.getName(), String.valueOf(value(component, record)));
        }
        return metadata;
    }

    static <R extends Record> R of(Class<R> type, String prefix, Map<String, String> metadata) {
        List<Object> values = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        RecordComponent[] components = type.getRecordComponents();
        for (RecordComponent component : components) {
            String name = prefix + "." + component.getName();
            String text = metadata.get(name);
            if (text == null) {
                missing.add(name);
            } else {
                values.add(parse(name, component.getType(), text));
            }
        }
        if (!missing.isEmpty()) {
            throw new IllegalArgumentException("metadata: no " + String.join(", ", missing));
        }
        try {
            return type.getDeclaredConstructor(Arrays.stream(components).map(RecordComponent::getType).toArray(Class[]::new))
                    .newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException("metadata: " + e.getCause().getMessage(), e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** One line for each component in which two records differ. */
    static List<String> differences(Record a, Record b) {
        List<String> lines = new ArrayList<>();
        for (RecordComponent component : a.getClass().getRecordComponents()) {
            Object inA = value(component, a);
            Object inB = value(component, b);
            if (!inA.equals(inB)) {
                lines.add(component.getName() + ": " + inA + " and " + inB);
            }
        }
        return lines;
    }

    private static Object value(RecordComponent component, Record record) {
        try {
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Object parse(String name, Class<?> type, String text) {
        try {
            if (type == long.class) {
                return Long.valueOf(text);
            }
            if (type == double.class) {
                return Double.valueOf(text);
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("metadata: " + name + " is no number but \"" + text + "\"", e);
        }
        return type == boolean.class ? (Object) Boolean.valueOf(text) : text;
    }
}
