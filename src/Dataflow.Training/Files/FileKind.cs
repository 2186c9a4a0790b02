using System.Globalization;
using System.Runtime.InteropServices;

namespace Dataflow.Training;

/// <summary>
/// Tells regular files from devices and pipes, which .NET does not: opening a pipe without a writer waits for ever, and a rename over a
/// device puts a file in its place.
/// </summary>
internal static partial class FileKind
{
    private const int StatusBytes = 256;
    private const int ModeOffset = 28;
    private const int KindMask = 0xF000;
    private const int Regular = 0x8000;
    private const int Folder = 0x4000;
    private const int CurrentFolder = -100;
    private const uint TypeWanted = 1;

    /// <summary>
    /// Whether the path leads, through links, to a device, a pipe or a socket; false if there is nothing or the system cannot say.
    /// </summary>
    public static bool IsSpecial(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        Span<byte> status = stackalloc byte[StatusBytes];
        try
        {
            if (Status(CurrentFolder, path, 0, TypeWanted, ref MemoryMarshal.GetReference(status)) != 0)
            {
                return false;
            }
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }

        int kind = MemoryMarshal.Read<ushort>(status[ModeOffset..]) & KindMask;
        return kind is not (Regular or Folder);
    }

    /// <summary>The number of a descriptor that the process has open, where the path says one; null where it is an ordinary path.</summary>
    public static int? OpenDescriptor(string path)
    {
        if (path == "/dev/stdin")
        {
            return 0;
        }

        string? number = path.StartsWith("/dev/fd/", StringComparison.Ordinal) ? path[8..]
            : path.StartsWith("/proc/self/fd/", StringComparison.Ordinal) ? path[14..] : null;
        return int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor) ? descriptor : null;
    }

    // Its structure is the same on every processor, unlike that of stat.
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint wanted, ref byte status);
}
