package dev.gatun.ops.sequence;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup.ClassOption;
import java.lang.invoke.MethodType;

/** Vector forms as classes of their own each time one is asked for: to the compiler a new class is a new start. */
final class FreshForm {

    private FreshForm() {}

    /** An object of the nested class {@code Fast} of these steps, made anew. */
    static <T> T of(Class<T> steps) {
        String name = steps.getSimpleName();
        try (InputStream bytes = steps.getResourceAsStream(name + "$Fast.class")) {
            MethodHandles.Lookup made = MethodHandles.lookup().defineHiddenClass(bytes.readAllBytes(), true, ClassOption.NESTMATE);
            return steps.cast(made.findConstructor(made.lookupClass(), MethodType.methodType(void.class)).invoke());
        } catch (IOException e) {
            throw new IllegalStateException(name + ": the vector form cannot be read", e);
        } catch (Throwable e) {
            throw new IllegalStateException(name + ": the JVM refused the vector form", e);
        }
    }
}
