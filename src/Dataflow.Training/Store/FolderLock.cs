using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;
using Microsoft.Win32.SafeHandles;

namespace Dataflow.Training;

/// <summary>Another process, or this one at another place, writes to a folder.</summary>
/// <param name="message">Who, and what to do.</param>
public sealed class FolderInUseException(string message) : UserErrorException(message);

/// <summary>
/// The right to write to a folder of checkpoints, which one process has at a time: a lock of the system on a file ".lock" in it, which ends
/// with the process however it ends, and in that file who has it, for the one that is refused. A file that was left by a process that is no
/// more locks nothing. Where the file system has no locks, what the file says decides, as far as it is about this machine, and that is
/// said.
/// </summary>
public sealed partial class FolderLock : IDisposable
{
    /// <summary>The file's name. It stays when the lock goes: to remove it would take it from under one who has just opened it.</summary>
    public const string FileName = ".lock";

    private const string OfCheckpoints =
        "saves its checkpoints there; wait for it or stop it, or give another folder to --checkpoint";

    private const int LongestRecord = 128;
    private const int ReadWrite = 2;
    private const int ExclusiveNow = 2 | 4;
    private const int Unlock = 8;
    private const int OwnerMayWrite = 0x1A4; // rw-r--r--
    private const int Again = 11;
    private const int AgainOnMac = 35;

    private const int MostAttempts = 20;
    private static readonly TimeSpan BetweenAttempts = TimeSpan.FromMilliseconds(50);

    private readonly SafeFileHandle file;

    private FolderLock(SafeFileHandle file, bool isGranted) => (this.file, IsGranted) = (file, isGranted);

    /// <summary>What the system says to a request for a lock.</summary>
    internal enum Answer
    {
        Locked,
        Held,
        Unsupported,
    }

    /// <summary>Whether the system knows of it, rather than the file alone.</summary>
    public bool IsGranted { get; }

    /// <summary>Takes the lock of a folder of checkpoints.</summary>
    /// <param name="folder">Must exist.</param>
    /// <param name="notice">Told, in a sentence, if the file system has no locks.</param>
    /// <exception cref="UserErrorException">Another process has it.</exception>
    public static FolderLock Take(string folder, Action<string> notice) => Take(folder, notice, Request);

    /// <summary>Takes the lock of a folder of whatever is written there.</summary>
    /// <param name="folder">Must exist.</param>
    /// <param name="notice">Told, in a sentence, if the file system has no locks.</param>
    /// <param name="use">What the other process does there, and what to do then, for the one that is refused.</param>
    /// <exception cref="UserErrorException">Another process has it.</exception>
    public static FolderLock Take(string folder, Action<string> notice, string use) => Take(folder, notice, Request, use);

    /// <summary>With a way of one's own to ask the system, for tests of file systems that this machine does not have.</summary>
    internal static FolderLock Take(
        string folder, Action<string> notice, Func<SafeFileHandle, Answer> request, string use = OfCheckpoints)
    {
        string path = Path.Combine(folder, FileName);
        var file = Open(path);
        try
        {
            var (answer, holder) = Ask(file, request);
            if (answer == Answer.Held || (holder is { IsHere: true, IsAlive: true } process && !(process.IsOwn && answer == Answer.Locked)))
            {
                throw new FolderInUseException($"{folder} is in use by {Describe(holder)}, which {use}");
            }

            if (answer == Answer.Unsupported)
            {
                notice($"{folder} is on a file system without locks: make sure that no run on another machine saves there too");
            }

            Record(file, ProcessIdentity.Own.ToString());
            return new FolderLock(file, answer == Answer.Locked);
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            file.Dispose();
            throw FileErrors.Unwritable(path, e);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a process that is there says that it has the lock of a folder; nothing is taken or made.</summary>
    /// <param name="folder">Of checkpoints.</param>
    public static bool IsHeld(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path) || FileKind.IsSpecial(path))
        {
            return false;
        }

        try
        {
            using var file = Open(path);
            return Holder(file) is { IsAlive: true };
        }
        catch (UserErrorException)
        {
            return false; // another user's
        }
    }

    /// <summary>Gives the lock back.</summary>
    public void Dispose()
    {
        if (file.IsClosed)
        {
            return;
        }

        try
        {
            Record(file, "");
        }
        catch (Exception e) when (FileErrors.IsFileError(e))
        {
            // The lock goes all the same; the record is of a process that will be gone.
        }

        if (!OperatingSystem.IsWindows())
        {
            _ = LockFile(file, Unlock); // now, not when a child that was forked meanwhile has closed its copy of the handle
        }

        file.Dispose();
    }

    // One that has just taken the lock may not have written yet who it is, and of one that was just killed a child may hold the lock until
    // it has begun.
    private static (Answer Answer, ProcessIdentity? Holder) Ask(SafeFileHandle file, Func<SafeFileHandle, Answer> request)
    {
        for (int attempt = 0; ; attempt++)
        {
            var answer = request(file);
            var holder = Holder(file);
            if (answer != Answer.Held || holder is { IsAlive: true } || attempt == MostAttempts)
            {
                return (answer, holder);
            }

            Thread.Sleep(BetweenAttempts);
        }
    }

    private static SafeFileHandle Open(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            }
            catch (Exception e) when (FileErrors.IsFileError(e))
            {
                throw FileErrors.Unwritable(path, e);
            }
        }

        if (FileKind.IsSpecial(path))
        {
            throw FileErrors.Unwritable(path, new IOException("it is a device or a pipe"));
        }

        // .NET locks every file that it opens, and would not open one that another has locked, to read who that is.
        int create = OperatingSystem.IsMacOS() ? 0x200 : 0x40, closeOnExec = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;
        int descriptor = OpenFile(path, ReadWrite | create | closeOnExec, OwnerMayWrite);
        int error = Marshal.GetLastPInvokeError();
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true)
            : throw FileErrors.Unwritable(path, new IOException(Marshal.GetPInvokeErrorMessage(error), error));
    }

    private static Answer Request(SafeFileHandle file)
    {
        if (OperatingSystem.IsWindows())
        {
            return Answer.Unsupported;
        }

        return LockFile(file, ExclusiveNow) == 0 ? Answer.Locked
            : Marshal.GetLastPInvokeError() == (OperatingSystem.IsMacOS() ? AgainOnMac : Again) ? Answer.Held
            : Answer.Unsupported;
    }

    private static ProcessIdentity? Holder(SafeFileHandle file)
    {
        Span<byte> text = stackalloc byte[LongestRecord];
        return ProcessIdentity.Parse(Encoding.ASCII.GetString(text[..RandomAccess.Read(file, text, 0)]).TrimEnd('\n'));
    }

    private static void Record(SafeFileHandle file, string holder)
    {
        RandomAccess.SetLength(file, 0);
        RandomAccess.Write(file, Encoding.ASCII.GetBytes(holder.Length == 0 ? "" : holder + "\n"), 0);
    }

    private static string Describe(ProcessIdentity? holder) => holder is not { IsAlive: true } process ? "another process"
        : process.IsOwn ? "this process itself"
        : $"process {process.Id}" + (process.IsHere ? "" : $" on {process.Host}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int LockFile(SafeFileHandle file, int operation);
}
