using System.Security.Cryptography;
using System.Text;

namespace Dataflow.Schedules;

/// <summary>The identity of a schedule: two schedules with the same hash are the same schedule.</summary>
public static class ScheduleHash
{
    /// <summary>SHA-256 of the text form in UTF-8, in lower-case hexadecimal.</summary>
    public static string Of(Schedule schedule)
    {
        using var sha = SHA256.Create();
        using (var hashing = new CryptoStream(Stream.Null, sha, CryptoStreamMode.Write))
        using (var writer = new StreamWriter(hashing, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16))
        {
            ScheduleText.Print(schedule, writer);
        }

        return Convert.ToHexStringLower(sha.Hash!);
    }
}
