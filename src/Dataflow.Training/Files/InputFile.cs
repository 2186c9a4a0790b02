using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>
/// The one way by which the program reads a whole file that a user names: bounded in time and memory whatever it is (a device, a pipe
/// without a writer, a folder, a file of any size), with one sentence that names it.
/// </summary>
public static class InputFile
{
    /// <summary>A text in UTF-8; a byte order mark is dropped.</summary>
    /// <param name="path">A regular file, or what the process was handed open (/dev/stdin, /dev/fd/N).</param>
    /// <param name="most">What is longer is refused before it is read.</param>
    /// <exception cref="UserErrorException">It cannot be read, is too long, or is no text.</exception>
    public static string ReadText(string path, Bytes most) => WholeFile.ReadText(path, most);

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="UserErrorException">It cannot be read, or is too long.</exception>
    public static byte[] ReadBytes(string path, Bytes most) => WholeFile.ReadBytes(path, most);

    /// <summary>The lines of a text; a last one that is empty does not count.</summary>
    /// <exception cref="UserErrorException">As <see cref="ReadText"/>.</exception>
    public static IReadOnlyList<string> ReadLines(string path, Bytes most)
    {
        string[] lines = ReadText(path, most).ReplaceLineEndings("\n").Split('\n');
        return lines[^1].Length == 0 ? lines[..^1] : lines;
    }
}
