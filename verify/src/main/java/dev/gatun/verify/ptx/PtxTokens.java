package dev.gatun.verify.ptx;

import java.util.ArrayList;
import java.util.List;

/** Words and signs of a text, without comments. */
final class PtxTokens {

    /** A word (with its dots, {@code %} and {@code $}), a string or one sign. */
    record Token(String text, int line) {}

    private final String[] lines;
    private final List<Token> tokens = new ArrayList<>();
    private int at;

    PtxTokens(String text) {
        lines = text.split("\n", -1);
        String clean = withoutComments(text);
        int line = 1;
        for (int i = 0; i < clean.length();) {
            char c = clean.charAt(i);
            if (c == '\n') {
                line++;
            }
            if (Character.isWhitespace(c)) {
                i++;
            } else if (word(c)) {
                int end = i + 1;
                while (end < clean.length() && word(clean.charAt(end))) {
                    end++;
                }
                tokens.add(new Token(clean.substring(i, end), line));
                i = end;
            } else if (c == '"') {
                int end = clean.indexOf('"', i + 1);
                if (end < 0) {
                    throw new PtxRefusal(line, lines[line - 1].strip(), "a string has no end");
                }
                tokens.add(new Token(clean.substring(i, end + 1), line));
                i = end + 1;
            } else {
                tokens.add(new Token(String.valueOf(c), line));
                i++;
            }
        }
    }

    private static boolean word(char c) {
        return Character.isLetterOrDigit(c) || c == '_' || c == '.' || c == '%' || c == '$';
    }

    /** Comments become blanks, their line ends stay. */
    private static String withoutComments(String text) {
        StringBuilder clean = new StringBuilder(text);
        for (int i = 0; i + 1 < clean.length(); i++) {
            if (clean.charAt(i) == '/' && (clean.charAt(i + 1) == '/' || clean.charAt(i + 1) == '*')) {
                boolean whole = clean.charAt(i + 1) == '/';
                int end = whole ? clean.indexOf("\n", i) : clean.indexOf("*/", i + 2) + 2;
                end = end < (whole ? 0 : 2) ? clean.length() : end;
                for (; i < end; i++) {
                    if (clean.charAt(i) != '\n') {
                        clean.setCharAt(i, ' ');
                    }
                }
                i--;
            }
        }
        return clean.toString();
    }

    boolean more() {
        return at < tokens.size();
    }

    int line() {
        return tokens.isEmpty() ? 1 : tokens.get(Math.min(at, tokens.size() - 1)).line;
    }

    /** The line of the text that the next token is on. */
    String source() {
        return source(line());
    }

    String source(int line) {
        return lines[line - 1].strip().replaceAll("\\s+", " ");
    }

    String peek() {
        return peek(0);
    }

    String peek(int ahead) {
        return at + ahead < tokens.size() ? tokens.get(at + ahead).text : "";
    }

    String take() {
        if (!more()) {
            throw refusal("the text ends too early");
        }
        return tokens.get(at++).text;
    }

    boolean skip(String text) {
        if (peek().equals(text)) {
            at++;
            return true;
        }
        return false;
    }

    void expect(String text) {
        if (!skip(text)) {
            throw refusal("\"" + text + "\" is missing before \"" + peek() + "\"");
        }
    }

    PtxRefusal refusal(String why) {
        return new PtxRefusal(line(), source(), why);
    }
}
