using System.Runtime.InteropServices;

namespace Dataflow.Training;

/// <summary>Makes a rename survive a power failure: on Unix the folder itself must be flushed, and .NET opens no folders.</summary>
internal static partial class FolderSync
{
    private const int ReadOnly = 0;

    /// <summary>Flushes a folder's entries to disk; does nothing where the system has no such call or no need of it.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Flush(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        int descriptor = Open(folder, ReadOnly);
        if (descriptor < 0)
        {
            return; // A folder that may be written but not read: the rename stands, only its flush is left to the system.
        }

        int error = Synchronise(descriptor) == 0 ? 0 : Marshal.GetLastPInvokeError();
        _ = Close(descriptor);
        const int inputOutputError = 5;
        if (error == inputOutputError)
        {
            throw new IOException("the disk reported an error while its folder was flushed", error);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronise(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
