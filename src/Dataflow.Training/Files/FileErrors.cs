using System.Text;
using Dataflow.Model;

namespace Dataflow.Training;

/// <summary>Turns what the file system throws into sentences for the user.</summary>
public static class FileErrors
{
    // .NET passes errno of Linux on as HResult for the errors that it has no exception of its own for.
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int FileTooLargeErrno = 27;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>Whether the exception comes from a file, a folder or a disk, rather than from a mistake of the program.</summary>
    public static bool IsFileError(Exception e) =>
        e is IOException or UnauthorizedAccessException or NotSupportedException or System.Security.SecurityException || IsTooLarge(e);

    /// <summary>Why <paramref name="path"/> could not be read.</summary>
    public static UserErrorException Unreadable(string path, Exception e) => new(e switch
    {
        FileNotFoundException or DirectoryNotFoundException => $"{path} does not exist",
        UnauthorizedAccessException => $"{path} cannot be read: permission denied",
        DecoderFallbackException => $"{path} is not UTF-8 text",
        NotSupportedException => $"{path} cannot be read: it is not a regular file",
        _ => $"{path} cannot be read: {e.Message}",
    });

    /// <summary>Why <paramref name="path"/> could not be written. What was there before is still there.</summary>
    public static UserErrorException Unwritable(string path, Exception e) =>
        new(
            e switch
            {
                DirectoryNotFoundException => $"{path} cannot be written: its folder does not exist, create it first",
                UnauthorizedAccessException => $"{path} cannot be written: permission denied, or a folder of that name is in the way",
                _ when IsTooLarge(e) =>
                    $"{path} cannot be written: disk full, or the file is larger than its file system or the limit of this process "
                        + $"(ulimit -f) allows; choose another disk or raise the limit",
                IOException { HResult: NoSpace or WindowsDiskFull } =>
                    $"{path} cannot be written: disk full; free some space or choose another disk",
                IOException { HResult: QuotaExceeded } =>
                    $"{path} cannot be written: disk full (quota exceeded); free some space or choose another disk",
                _ => $"{path} cannot be written: {e.Message}",
            }
        );

    /// <summary>The system's "file too large" (a file-size limit) arrives as an argument error of the framework.</summary>
    private static bool IsTooLarge(Exception e) =>
        e is IOException { HResult: FileTooLargeErrno } or ArgumentOutOfRangeException { ParamName: "value" };
}
