/* SPDX-License-Identifier: MIT */
/* Reading whole files from the partition the loader came from. */
#include "loader.h"

/* The root directory of that partition. */
static EFI_FILE_HANDLE volume_open(EFI_HANDLE image)
{
    EFI_LOADED_IMAGE *loaded;
    EFI_GUID loaded_guid = LOADED_IMAGE_PROTOCOL;
    if (EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, image, &loaded_guid, (void **)&loaded)))
        loader_fail(L"boot device", L"the firmware does not say where the loader came from");
    EFI_FILE_IO_INTERFACE *volume;
    EFI_GUID volume_guid = SIMPLE_FILE_SYSTEM_PROTOCOL;
    if (EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, loaded->DeviceHandle, &volume_guid,
                                    (void **)&volume)))
        loader_fail(L"boot device", L"holds no file system the firmware can read");
    EFI_FILE_HANDLE root;
    if (EFI_ERROR(uefi_call_wrapper(volume->OpenVolume, 2, volume, &root)))
        loader_fail(L"boot device", L"cannot be opened");
    return root;
}

static UINT64 file_bytes(EFI_FILE_HANDLE file, const CHAR16 *path)
{
    EFI_FILE_INFO *info = LibFileInfo(file);
    if (!info)
        loader_fail(path, L"its size cannot be read");
    UINT64 bytes = info->FileSize;
    FreePool(info);
    return bytes;
}

struct boot_range file_read(EFI_HANDLE image, const CHAR16 *path, BOOLEAN absent_ok)
{
    EFI_FILE_HANDLE root = volume_open(image), file;
    EFI_STATUS status = uefi_call_wrapper(root->Open, 5, root, &file, (CHAR16 *)path,
                                          EFI_FILE_MODE_READ, 0ull);
    if (EFI_ERROR(status) && !(absent_ok && status == EFI_NOT_FOUND))
        loader_fail(path, status == EFI_NOT_FOUND ? L"file not found" : L"file cannot be opened");
    BOOLEAN present = !EFI_ERROR(status);

    UINTN bytes = present ? file_bytes(file, path) : 0;
    struct boot_range range = { loader_pages(path, EFI_SIZE_TO_PAGES(bytes + 1)), bytes };
    if (present) {
        status = uefi_call_wrapper(file->Read, 3, file, &bytes, (void *)range.start);
        if (EFI_ERROR(status) || bytes != range.bytes)
            loader_fail(path, L"file cannot be read to its end");
        uefi_call_wrapper(file->Close, 1, file);
    }
    uefi_call_wrapper(root->Close, 1, root);
    ((CHAR8 *)range.start)[range.bytes] = 0;
    return range;
}
